import { BOUNDS, type Durations } from './durations.ts';

export type Labels = Readonly<Record<string, string>>;

/** One series of a metric. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  /** Where it is not that of the metric: a histogram has three kinds of series. */
  readonly metricName?: string;
}

/** How the values of several processes become one. */
type Aggregator = 'sum' | 'min' | 'max';

/** A metric with all its series, in the form in which prom-client's registries give metrics out and take them in. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly aggregator: Aggregator;
  readonly values: readonly Sample[];
}

type Values = number | readonly Sample[];

/** A total since the start of the process. */
export function counter(name: string, help: string, values: Values): Family {
  return { name, help, type: 'counter', aggregator: 'sum', values: toSamples(values) };
}

/** What goes up and down. Of what all processes share, each knows the whole: that is not to be summed. */
export function gauge(name: string, help: string, values: Values, aggregator: Aggregator = 'sum'): Family {
  return { name, help, type: 'gauge', aggregator, values: toSamples(values) };
}

export interface LabelledDurations {
  readonly labels: Labels;
  readonly durations: Durations;
}

/**
 * A histogram, and beside it the largest duration of the last minute, which no histogram can tell.
 *
 * @param prefix of the names, which end as their unit asks.
 */
export function durationFamilies(prefix: string, help: string, series: readonly LabelledDurations[]): Family[] {
  const name = `${prefix}_seconds`;
  const values = series.flatMap(({ labels, durations }) => [
    ...durations.cumulative().map((value, index) => ({
      labels: { ...labels, le: String(BOUNDS[index] ?? '+Inf') },
      value,
      metricName: `${name}_bucket`,
    })),
    { labels, value: durations.sum, metricName: `${name}_sum` },
    { labels, value: durations.count, metricName: `${name}_count` },
  ]);
  const now = performance.now();
  const maxima = series.map(({ labels, durations }) => ({ labels, value: durations.maximum(now) }));
  return [
    { name, help, type: 'histogram', aggregator: 'sum', values },
    gauge(`${prefix}_max_seconds`, `${help}: the largest of the last minute.`, maxima, 'max'),
  ];
}

function toSamples(values: Values): readonly Sample[] {
  return typeof values === 'number' ? [{ labels: {}, value: values }] : values;
}

/** When somebody asks, because it takes a tenth of a second, which a start without metrics need not wait. */
const loadClient = () => import('prom-client');

/** The metrics of one or more processes as the text that Prometheus reads. */
export async function render(processes: readonly (readonly Family[])[]): Promise<string> {
  const { AggregatorRegistry } = await loadClient();
  return AggregatorRegistry.aggregate([...processes]).metrics();
}

/** The totals of one or more processes as those of one; what goes up and down is left out. */
export async function sumTotals(processes: readonly (readonly Family[])[]): Promise<readonly Family[]> {
  const { AggregatorRegistry } = await loadClient();
  const totals = processes.map((families) => families.filter(({ type }) => type !== 'gauge'));
  return (await AggregatorRegistry.aggregate(totals).getMetricsAsJSON()) as unknown as readonly Family[];
}
