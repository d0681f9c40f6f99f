import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { AppError } from '../../errors.ts';
import type { MessageSummary, Sha, StoredMessage } from '../../messages/message.ts';
import type { MessageStore, StorePage, StorePageRequest } from '../../messages/message.store.ts';
import { createBatchInsert } from './batch-insert.ts';
import { createPrivateFile, MEMORY_PATH, openConnection } from './connection.ts';
import { migrate } from './migrations.ts';
import { FIND_SQL, toKey, toStoredMessage, toSummary } from './rows.ts';
import { toSqliteFailure, toStoreError } from './sqlite-error.ts';
import { ThreadWriter, type Writer } from './writer.ts';

/** Reads happen in the event loop and wait for nobody for long: in WAL mode a writer does not block a reader. */
const READ_TIMEOUT_MS = 100;
const MIGRATION_TIMEOUT_MS = 10_000;
const SHAS_PER_READ = 1000;

/** Opens a file, or makes it; resolves when it can be read and written. */
export async function openSqliteStore(path: string): Promise<MessageStore> {
  createPrivateFile(path);
  using migrating = openConnection({ path, busyTimeoutMs: MIGRATION_TIMEOUT_MS });
  migrate(migrating);
  const reader = openConnection({ path, readOnly: true, busyTimeoutMs: READ_TIMEOUT_MS });
  try {
    return new SqliteStore(reader, await ThreadWriter.start(path));
  } catch (error) {
    reader.close();
    throw error;
  }
}

/** Opens a database that is gone when the store is closed. It has one connection, because no other could see it. */
export function openMemoryStore(): MessageStore {
  const db = openConnection({ path: MEMORY_PATH, busyTimeoutMs: 0 });
  migrate(db);
  return new SqliteStore(db, createDirectWriter(db));
}

function createDirectWriter(db: DatabaseSync): Writer {
  const batchInsert = createBatchInsert(db);
  return {
    failure: undefined,
    failed: new Promise(() => undefined),
    add: (message) =>
      answer(() => {
        const known = batchInsert([message]).get(0) ?? message;
        if ('errcode' in known) throw toStoreError(known);
        return known;
      }),
    close: () => Promise.resolve(),
  };
}

class SqliteStore implements MessageStore {
  readonly #db: DatabaseSync;
  readonly #writer: Writer;
  readonly #find: StatementSync;
  readonly #findSeq: StatementSync;
  readonly #lastSeq: StatementSync;
  readonly #pages: Record<StorePageRequest['direction'], StatementSync>;
  readonly #summaryPages: Record<StorePageRequest['direction'], StatementSync>;
  readonly #shaRange: StatementSync;

  constructor(db: DatabaseSync, writer: Writer) {
    this.#db = db;
    this.#writer = writer;
    this.#find = db.prepare(FIND_SQL);
    this.#findSeq = db.prepare('SELECT seq FROM message WHERE sha = ?');
    this.#lastSeq = db.prepare('SELECT max(seq) AS seq FROM message');
    this.#pages = preparePages(db, 'lower(hex(sha)) AS sha, created_at, content');
    // SQLite knows the length of a BLOB without reading it.
    this.#summaryPages = preparePages(db, 'lower(hex(sha)) AS sha, created_at, length(content) AS bytes');
    this.#shaRange = db.prepare(
      'SELECT seq, lower(hex(sha)) FROM message WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?',
    );
    this.#shaRange.setReturnArrays(true);
  }

  add(message: StoredMessage): Promise<StoredMessage> {
    return this.#writer.add(message);
  }

  find(sha: Sha): Promise<StoredMessage | undefined> {
    return answer(() => {
      const row = this.#find.get(toKey(sha));
      return row && toStoredMessage(sha, row);
    });
  }

  page(request: StorePageRequest, maxBytes: number): Promise<StorePage<StoredMessage>> {
    return answer(() => {
      let bytes = 0;
      return this.#readPage(this.#pages[request.direction], request, (row) => {
        if (bytes >= maxBytes) return undefined;
        const message = toStoredMessage(row['sha'] as Sha, row);
        bytes += message.content.byteLength;
        return message;
      });
    });
  }

  summaryPage(request: StorePageRequest): Promise<StorePage<MessageSummary>> {
    return answer(() => this.#readPage(this.#summaryPages[request.direction], request, toSummary));
  }

  async *shas(): AsyncGenerator<readonly Sha[]> {
    const last = await answer(() => this.#lastSeq.get()?.['seq'] as number | null);
    let seq = 0;
    while (last !== null && seq < last) {
      const rows = await answer(() => this.#shaRange.all(seq, last, SHAS_PER_READ) as unknown as [number, Sha][]);
      yield rows.map(([, sha]) => sha);
      seq = rows.at(-1)?.[0] ?? last;
    }
  }

  get failed(): Promise<never> {
    return this.#writer.failed;
  }

  ping(): Promise<void> {
    // Not a race with `failed`: a promise that never settles would keep every health check's reaction for ever.
    if (this.#writer.failure) return Promise.reject(this.#writer.failure);
    return answer(() => void this.#lastSeq.get());
  }

  async close(): Promise<void> {
    // The last connection to close moves the log into the file, and only one that may write can do that.
    this.#db.close();
    await this.#writer.close();
  }

  /** Reads one row more than asked to know whether there are more; `toItem` ends the page early with undefined. */
  #readPage<Item>(
    statement: StatementSync,
    { direction, cursor, limit }: StorePageRequest,
    toItem: (row: Record<string, unknown>) => Item | undefined,
  ): StorePage<Item> {
    const items: Item[] = [];
    let hasMore = false;
    for (const row of statement.iterate(this.#seqOf(cursor, direction), limit + 1)) {
      const item = items.length < limit ? toItem(row) : undefined;
      if (item === undefined) {
        hasMore = true;
        break;
      }
      items.push(item);
    }
    return { items: direction === 'forward' ? items : items.reverse(), hasMore };
  }

  #seqOf(cursor: Sha | undefined, direction: StorePageRequest['direction']): number {
    if (cursor === undefined) return direction === 'forward' ? 0 : Number.MAX_SAFE_INTEGER;
    const row = this.#findSeq.get(toKey(cursor));
    if (row === undefined) throw new AppError('BAD_USER_INPUT', 'The cursor is not the sha of a stored message.');
    return row['seq'] as number;
  }
}

function preparePages(db: DatabaseSync, columns: string): Record<StorePageRequest['direction'], StatementSync> {
  return {
    forward: db.prepare(`SELECT ${columns} FROM message WHERE seq > ? ORDER BY seq LIMIT ?`),
    backward: db.prepare(`SELECT ${columns} FROM message WHERE seq < ? ORDER BY seq DESC LIMIT ?`),
  };
}

/** node:sqlite answers at once; this gives its answer, or its failure, the asynchronous shape of the port. */
async function answer<Result>(read: () => Result): Promise<Result> {
  try {
    return await read();
  } catch (error) {
    const failure = toSqliteFailure(error);
    throw failure ? toStoreError(failure) : error;
  }
}
