import type { StoreStats } from '../../messages/message.store.ts';
import { Durations } from './durations.ts';
import { counter, durationFamilies, gauge, type Family } from './family.ts';

/** A store in trouble must not hold up what tells of it. */
const ANSWER_LIMIT_MS = 500;

export interface StoreSource {
  readonly stats: () => Promise<StoreStats>;
  readonly cache: { readonly hits: number; readonly misses: number };
}

/** How a store is and what its methods take, by their names. */
export class StoreMetrics {
  readonly #methods = new Map<string, Durations>();
  /** Kept while the store does not answer: a total that comes and goes would look as if it had begun anew. */
  #totals: Pick<StoreStats, 'followerMisses' | 'batches'> = {};

  readonly recordCall = (method: string, milliseconds: number): void => {
    let durations = this.#methods.get(method);
    if (!durations) this.#methods.set(method, (durations = new Durations()));
    durations.record(milliseconds / 1000, performance.now());
  };

  async families({ stats, cache }: StoreSource): Promise<Family[]> {
    const figures = await within(ANSWER_LIMIT_MS, stats());
    if (figures) this.#totals = figures;
    const methods = [...this.#methods].map(([method, durations]) => ({ labels: { method }, durations }));
    return [
      gauge('hashpost_store_up', 'Whether the store answers, in every process: 1, else 0.', figures ? 1 : 0, 'min'),
      ...durationFamilies('hashpost_store_duration', 'Of calls to the store, lists by the page', methods),
      counter('hashpost_cache_requests_total', 'Lookups, by whether the memory of the process had the message.', [
        { labels: { result: 'hit' }, value: cache.hits },
        { labels: { result: 'miss' }, value: cache.misses },
      ]),
      ...(figures ? levels(figures) : []),
      ...totals(this.#totals),
    ];
  }
}

/** Not known while the store does not answer. */
function levels({ messages, walBytes, freeBytes, pool }: StoreStats): Family[] {
  return [
    gauge('hashpost_messages', 'Messages in the store, at most.', messages, 'max'),
    ...(walBytes === undefined ? [] : [gauge('hashpost_store_wal_bytes', 'Length of the log file.', walBytes, 'max')]),
    ...(freeBytes === undefined
      ? []
      : [gauge('hashpost_store_free_bytes', 'Left on the disk of the store.', freeBytes, 'min')]),
    ...(pool === undefined
      ? []
      : [
          gauge('hashpost_store_pool_connections', 'Connections to the database.', [
            { labels: { state: 'idle' }, value: pool.idle },
            { labels: { state: 'busy' }, value: pool.size - pool.idle },
          ]),
          gauge('hashpost_store_pool_waiting', 'Callers that wait for a connection.', pool.waiting),
        ]),
  ];
}

function totals({ followerMisses, batches }: Pick<StoreStats, 'followerMisses' | 'batches'>): Family[] {
  return [
    ...(followerMisses === undefined
      ? []
      : [
          counter('hashpost_store_follower_misses_total', 'Messages that only the primary could find.', followerMisses),
        ]),
    ...(batches === undefined
      ? []
      : [
          counter('hashpost_store_batches_total', 'Transactions that were committed for writes.', batches.count),
          counter('hashpost_store_batch_messages_total', 'Messages in these transactions.', batches.messages),
        ]),
  ];
}

/** @returns undefined when it fails, or takes longer. */
async function within<Value>(limitMs: number, answer: Promise<Value>): Promise<Value | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, limitMs, undefined);
  try {
    return await Promise.race([answer, late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
