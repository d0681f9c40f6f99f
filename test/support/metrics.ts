import type { Service } from './service.ts';
import { startService, type ServiceOptions } from './service.ts';

/** Series and their values, each under its name with its labels as the exposition writes them. */
export type Samples = ReadonlyMap<string, number>;

export interface MeasuredService extends Service {
  readonly metricsUrl: string;
}

/** A service that serves metrics on a free port of the loopback. */
export async function startMeasuredService(options: ServiceOptions = {}): Promise<MeasuredService> {
  const service = await startService({ ...options, env: { METRICS_PORT: '0', ...options.env } });
  return { ...service, metricsUrl: metricsUrlIn(service.log()) };
}

/** What a service says of where its metrics are. */
export function metricsUrlIn(log: string): string {
  const url = /"metrics":"([^"]+)"/.exec(log)?.[1];
  if (url === undefined) throw new Error('the service does not say where its metrics are');
  return url;
}

export async function scrapeText(metricsUrl: string): Promise<string> {
  const answer = await fetch(metricsUrl);
  if (answer.status !== 200) throw new Error(`${metricsUrl} answers ${answer.status}`);
  return answer.text();
}

export async function scrape(metricsUrl: string): Promise<Samples> {
  return parseSamples(await scrapeText(metricsUrl));
}

export function parseSamples(exposition: string): Samples {
  const lines = exposition.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

/** The sum of all series of a metric that have these labels. */
export function total(samples: Samples, name: string, labels: Record<string, string> = {}): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return [...samples]
    .filter(([key]) => key.split('{')[0] === name && wanted.every((label) => key.includes(label)))
    .reduce((sum, [, value]) => sum + value, 0);
}

export async function topCallers(metricsUrl: string): Promise<Record<'byRequests' | 'byBytes', TopCaller[]>> {
  return (await (await fetch(new URL('/callers', metricsUrl))).json()) as Record<'byRequests' | 'byBytes', TopCaller[]>;
}

export interface TopCaller {
  readonly caller: string;
  readonly atLeast: number;
  readonly atMost: number;
}
