import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { dispose, temporaryFolder } from './leftovers.ts';
import { ROOT } from './process.ts';

export const PROMETHEUS_FOLDER = join(ROOT, 'deploy/prometheus');

const START_LIMIT_MS = 30_000;

/** @throws Error with what it printed when it finds a fault, or that says what to install. */
export function promtool(args: readonly string[], input = ''): string {
  try {
    return execFileSync('promtool', args, { input, encoding: 'utf8', stdio: 'pipe', cwd: PROMETHEUS_FOLDER });
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as NodeJS.ErrnoException & { stdout?: string; stderr?: string };
    throw new Error(code === 'ENOENT' ? 'promtool is missing: apt-get install prometheus' : stdout + stderr);
  }
}

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [time: number, value: string];
}

export interface Rule {
  readonly name: string;
  readonly query: string;
  readonly health: string;
  readonly state: string;
}

export interface Prometheus {
  /** @throws Error with what Prometheus says of a query that it does not accept. */
  query(expression: string): Promise<Series[]>;
  rules(): Promise<Rule[]>;
}

/** A real Prometheus with the rules and the configuration of deploy/, that scrapes one target every half second. */
export async function startPrometheus(target: string): Promise<Prometheus> {
  promtool(['--version']);
  const folder = temporaryFolder();
  const config = readFileSync(join(PROMETHEUS_FOLDER, 'prometheus.yml'), 'utf8')
    .replaceAll(/(_interval:) .*/g, '$1 500ms')
    .replace(/127\.0\.0\.1:\d+/, target);
  writeFileSync(join(folder, 'prometheus.yml'), config);
  copyFileSync(join(PROMETHEUS_FOLDER, 'alerts.yml'), join(folder, 'alerts.yml'));
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(
    'prometheus',
    ['--config.file=prometheus.yml', '--storage.tsdb.path=data', `--web.listen-address=${address}`],
    { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const ended = once(child, 'close');
  dispose(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const deadline = performance.now() + START_LIMIT_MS;
  while (!(await isReady(address))) {
    if (child.exitCode !== null || performance.now() > deadline) throw new Error(`Prometheus does not start: ${log}`);
    await sleep(50);
  }
  return {
    query: async (expression) => (await ask<{ result: Series[] }>(address, 'query', { query: expression })).result,
    rules: async () =>
      (await ask<{ groups: { rules: Rule[] }[] }>(address, 'rules')).groups.flatMap(({ rules }) => rules),
  };
}

async function ask<Data>(address: string, path: string, parameters: Record<string, string> = {}): Promise<Data> {
  const answer = await fetch(`http://${address}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`);
  const { data, error } = (await answer.json()) as { data: Data; error?: string };
  if (error !== undefined) throw new Error(`${parameters['query']}: ${error}`);
  return data;
}

async function isReady(address: string): Promise<boolean> {
  return fetch(`http://${address}/-/ready`).then(
    ({ ok }) => ok,
    () => false,
  );
}
