import DataLoader from 'dataloader';
import { AppError } from '../../errors.ts';
import type { MessageSummary, Sha, StoredMessage } from '../../messages/message.ts';
import type {
  MessageSource,
  MessageStore,
  StorePage,
  StorePageRequest,
  StoreStats,
} from '../../messages/message.store.ts';
import { GroupCommit } from '../group-commit.ts';
import { insertBatch } from './batch-insert.ts';
import { encodeByteaArray } from './bytea-array.ts';
import { assertFollows, assertPrimary, assertWritable, createReadFirst } from './checks.ts';
import { Followers } from './followers.ts';
import { assertCurrent, migrate } from './migrations.ts';
import { PageReader } from './page-reader.ts';
import { describe, toStoreError } from './postgres-error.ts';
import { MESSAGE_COLUMNS, toKey, toStoredMessage, type Digits, type MessageRow } from './rows.ts';
import { Server, type Queryable, type ServerChange, type ServerOptions, type Statement } from './server.ts';

export interface PostgresLocation {
  readonly url: string;
  /** URLs of read-only followers. */
  readonly followers: readonly string[];
  /** Connections at most, to each server. */
  readonly poolSize: number;
  /** Told when one of the servers is found to be down, and when it is well again. */
  readonly onServerChange: (change: ServerChange) => void;
}

/** Whoever asks the store has an answer, or a failure, within this; it holds for several statements together. */
const ANSWER_MS = 1900;

/** Each below the whole; a follower that is slow is worth less than asking the primary. */
const PRIMARY_WAITS = { connectMs: 1500, answerMs: 1500 };
const FOLLOWER_WAITS = { connectMs: 300, answerMs: 400 };

/** Bounds one lookup for many; what arrives in one turn of the event loop, and all of one GraphQL request, is one. */
const MAX_LOOKUP = 200;
const SHAS_PER_READ = 1000;

/** In UTF-16 units of text. A batch has to cross a network, more than one with a follower, within the wait for an answer. */
const MAX_BATCH_LENGTH = 4 * 1024 * 1024;

const FIND: Statement = { name: 'find', text: `SELECT ${MESSAGE_COLUMNS} FROM message WHERE sha = ANY($1)` };
const LAST_SEQ: Statement = { name: 'last-seq', text: 'SELECT last_seq FROM message_list' };
const SHA_RANGE: Statement = {
  name: 'sha-range',
  text: `SELECT seq, encode(sha, 'hex') FROM message WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3`,
};

/**
 * Connects to a primary and its followers; makes or updates the schema.
 * @throws Error that says why, when the primary cannot be used. A follower that is down is done without.
 */
export function openPostgresStore(location: PostgresLocation): Promise<MessageStore> {
  return open(location, migrate);
}

/** Connects to a primary whose schema is up to date, to read from it. */
export function openPostgresSource(location: PostgresLocation): Promise<MessageSource> {
  return open(location, assertCurrent);
}

async function open(
  { url, followers, poolSize, onServerChange: onChange }: PostgresLocation,
  prepareSchema: (url: string) => Promise<void>,
): Promise<PostgresStore> {
  try {
    await prepareSchema(url);
    await using opened = new AsyncDisposableStack();
    const connect = (options: ServerOptions): Server => opened.adopt(new Server(options), (server) => server.close());
    const checks = { check: assertPrimary, checkReady: assertWritable };
    const primary = connect({ url, poolSize, ...PRIMARY_WAITS, ...checks, onChange });
    const readFirst = createReadFirst(primary);
    await readFirst(); // Later the primary may be away.
    const check = (client: Queryable): Promise<void> => assertFollows(client, readFirst);
    const readers = followers.map((url) => connect({ url, poolSize, ...FOLLOWER_WAITS, check, onChange }));
    return new PostgresStore(primary, new Followers(readers), opened.move());
  } catch (error) {
    throw new Error(describe(error as Error), { cause: error });
  }
}

class PostgresStore implements MessageStore {
  readonly #primary: Server;
  readonly #followers: Followers;
  readonly #servers: AsyncDisposableStack;
  readonly #pages: PageReader;
  readonly #groupCommit: GroupCommit;
  readonly #lookups: DataLoader<Sha, StoredMessage | undefined>;
  /** The database may be away, but that passes. */
  readonly failed = new Promise<never>(() => undefined);

  constructor(primary: Server, followers: Followers, servers: AsyncDisposableStack) {
    this.#primary = primary;
    this.#followers = followers;
    this.#servers = servers;
    this.#pages = new PageReader(primary);
    this.#groupCommit = new GroupCommit(
      (messages) => insertBatch(primary, messages, (shas) => findMany(primary, shas)),
      MAX_BATCH_LENGTH,
    );
    this.#lookups = new DataLoader((shas) => this.#lookUp(shas), {
      cache: false,
      maxBatchSize: MAX_LOOKUP,
      batchScheduleFn: setImmediate,
    });
  }

  async add(message: StoredMessage): Promise<StoredMessage | undefined> {
    // Not put into the queue, to be refused from there after a batch that is waited for in vain.
    if (this.#primary.isDown) throw new AppError('STORE_UNAVAILABLE');
    return inTime(this.#groupCommit.add(message));
  }

  find(sha: Sha): Promise<StoredMessage | undefined> {
    return inTime(this.#lookups.load(sha));
  }

  /** Lists are read from the primary alone, so that they have whatever was acknowledged before. */
  page(request: StorePageRequest, maxBytes: number): Promise<StorePage<StoredMessage>> {
    return inTime(this.#pages.readMessages(request, maxBytes));
  }

  summaryPage(request: StorePageRequest): Promise<StorePage<MessageSummary>> {
    return inTime(this.#pages.readSummaries(request));
  }

  async *shas(): AsyncGenerator<readonly Sha[]> {
    const last = await inTime(this.#readLastSeq());
    let seq = 0;
    while (seq < last) {
      const rows = await inTime(this.#primary.query<[Digits, Sha]>(SHA_RANGE, [seq, last, SHAS_PER_READ]));
      // The last numbers may be unused.
      if (rows.length > 0) yield rows.map(([, sha]) => sha);
      seq = Number(rows.at(-1)?.[0] ?? last);
    }
  }

  ping(): Promise<void> {
    return inTime(this.#primary.ping());
  }

  async stats(): Promise<StoreStats> {
    const messages = await inTime(this.#readLastSeq());
    const { misses } = this.#followers;
    const { pool } = this.#primary;
    return {
      messages,
      pool,
      batches: this.#groupCommit.batches,
      ...(misses !== undefined && { followerMisses: misses }),
    };
  }

  async close(): Promise<void> {
    await this.#groupCommit.drain();
    await this.#servers.disposeAsync();
  }

  /** A follower may be behind, so what it does not have may still be there. */
  async #lookUp(shas: readonly Sha[]): Promise<(StoredMessage | undefined)[]> {
    const found = new Map(await this.#followers.find(shas, findMany));
    const missing = shas.filter((sha) => !found.has(sha));
    if (missing.length > 0) {
      const ofPrimary = await findMany(this.#primary, missing);
      this.#followers.countMisses(ofPrimary.size);
      for (const [sha, message] of ofPrimary) found.set(sha, message);
    }
    return shas.map((sha) => found.get(sha));
  }

  async #readLastSeq(): Promise<number> {
    const [row] = await this.#primary.query<[Digits]>(LAST_SEQ, []);
    if (!row) throw new Error('message_list has lost its row');
    return Number(row[0]);
  }
}

async function findMany(server: Server, shas: readonly Sha[]): Promise<ReadonlyMap<Sha, StoredMessage>> {
  const rows = await server.query<MessageRow>(FIND, [encodeByteaArray(shas.map(toKey))]);
  return new Map(rows.map((row) => [row[0], toStoredMessage(row)]));
}

/** Its result, or its failure as the port promises it, and no later than the port promises. */
async function inTime<Result>(operation: Promise<Result>): Promise<Result> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new Error(`no answer within ${ANSWER_MS} ms`));
  }, ANSWER_MS);
  try {
    return await Promise.race([operation, late.promise]);
  } catch (error) {
    throw toStoreError(error);
  } finally {
    clearTimeout(timer);
  }
}
