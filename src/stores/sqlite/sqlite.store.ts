import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { AppError } from '../../errors.ts';
import type { MessageSummary, Sha, StoredMessage } from '../../messages/message.ts';
import type {
  MessageSource,
  MessageStore,
  StorePage,
  StorePageRequest,
  StoreStats,
} from '../../messages/message.store.ts';
import { createBatchInsert } from './batch-insert.ts';
import { createPrivateFile, MEMORY_PATH, openConnection, openForReading } from './connection.ts';
import { assertRoom, measureDisk } from './disk.ts';
import { assertCurrent, migrate } from './migrations.ts';
import { PageReader } from './page-reader.ts';
import { FIND_SQL, prepare, toKey, type FoundRow } from './rows.ts';
import { noSnapshot, TurnSnapshot, type Snapshot } from './snapshot.ts';
import { toSqliteFailure, toStoreError } from './sqlite-error.ts';
import { createBeginWrite } from './write-lock.ts';
import { ThreadWriter, type Writer } from './writer.ts';

/** Reads happen in the event loop and wait for nobody for long: in WAL mode a writer does not block a reader. */
const READ_TIMEOUT_MS = 100;
const MIGRATION_TIMEOUT_MS = 10_000;
const SHAS_PER_READ = 250;

/** Opens a file, or makes it; resolves when it can be read and written. */
export async function openSqliteStore(path: string): Promise<MessageStore> {
  createPrivateFile(path);
  using migrating = openConnection({ path, busyTimeoutMs: MIGRATION_TIMEOUT_MS });
  migrate(migrating);
  const reader = openConnection({ path, readOnly: true, busyTimeoutMs: READ_TIMEOUT_MS });
  try {
    return new SqliteStore(reader, await ThreadWriter.start(path), new TurnSnapshot(reader));
  } catch (error) {
    reader.close();
    throw error;
  }
}

/** Opens a database that is gone when the store is closed. It has one connection, because no other could see it. */
export function openMemoryStore(): MessageStore {
  const db = openConnection({ path: MEMORY_PATH, busyTimeoutMs: 0 });
  migrate(db);
  return new SqliteStore(db, createDirectWriter(db), noSnapshot);
}

/** Opens a file that exists, to read it and to change nothing. */
export function openSqliteSource(path: string): MessageSource {
  const db = openForReading(path);
  try {
    assertCurrent(db);
    return new SqliteStore(db, noWriter, new TurnSnapshot(db));
  } catch (error) {
    db.close();
    throw error;
  }
}

const noWriter: Writer = {
  failure: undefined,
  failed: new Promise(() => undefined),
  batches: undefined,
  add: () => Promise.reject(new AppError('STORE_UNAVAILABLE')),
  close: () => Promise.resolve(),
};

function createDirectWriter(db: DatabaseSync): Writer {
  const batchInsert = createBatchInsert(db, createBeginWrite(db));
  return {
    failure: undefined,
    failed: new Promise(() => undefined),
    batches: undefined,
    add: (message) =>
      answer(() => {
        const outcome = batchInsert([message]).get(0);
        if (outcome && 'errcode' in outcome) throw toStoreError(outcome);
        return outcome;
      }),
    close: () => Promise.resolve(),
  };
}

class SqliteStore implements MessageStore {
  readonly #db: DatabaseSync;
  readonly #writer: Writer;
  readonly #snapshot: Snapshot;
  readonly #find: StatementSync;
  readonly #lastSeq: StatementSync;
  readonly #pages: PageReader;
  readonly #shaRange: StatementSync;

  constructor(db: DatabaseSync, writer: Writer, snapshot: Snapshot) {
    this.#db = db;
    this.#writer = writer;
    this.#snapshot = snapshot;
    this.#find = prepare(db, FIND_SQL);
    this.#lastSeq = prepare(db, 'SELECT max(seq) FROM message');
    this.#pages = new PageReader(db);
    this.#shaRange = prepare(
      db,
      'SELECT seq, lower(hex(sha)) FROM message WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?',
    );
  }

  async add(message: StoredMessage): Promise<StoredMessage | undefined> {
    const known = await this.#writer.add(message);
    // What is read after the answer must see it.
    this.#snapshot.end();
    return known;
  }

  find(sha: Sha): Promise<StoredMessage | undefined> {
    return answer(() => {
      const key = toKey(sha);
      const isFresh = this.#snapshot.begin();
      let row = this.#find.get(key) as FoundRow | undefined;
      if (!row && !isFresh) {
        // Another process may have acknowledged it since the snapshot began.
        this.#snapshot.end();
        this.#snapshot.begin();
        row = this.#find.get(key) as FoundRow | undefined;
      }
      return row && { sha, text: row[1], createdAt: row[0] };
    });
  }

  page(request: StorePageRequest, maxBytes: number): Promise<StorePage<StoredMessage>> {
    return this.#read(() => this.#pages.readMessages(request, maxBytes));
  }

  summaryPage(request: StorePageRequest): Promise<StorePage<MessageSummary>> {
    return this.#read(() => this.#pages.readSummaries(request));
  }

  async *shas(): AsyncGenerator<readonly Sha[]> {
    const last = await this.#read(() => this.#readLastSeq());
    let seq = 0;
    while (last !== null && seq < last) {
      const rows = await this.#read(() => this.#shaRange.all(seq, last, SHAS_PER_READ) as unknown as [number, Sha][]);
      yield rows.map(([, sha]) => sha);
      seq = rows.at(-1)?.[0] ?? last;
    }
  }

  get failed(): Promise<never> {
    return this.#writer.failed;
  }

  async ping(): Promise<void> {
    // Not a race with `failed`: a promise that never settles would keep every health check's reaction for ever.
    if (this.#writer.failure) throw this.#writer.failure;
    await this.#read(() => this.#readLastSeq());
    await assertRoom(this.#db.location());
  }

  async stats(): Promise<StoreStats> {
    // Numbers begin at 1, nothing is ever deleted, and what is rolled back gives its number back: there is no gap.
    const messages = (await this.#read(() => this.#readLastSeq())) ?? 0;
    const { batches } = this.#writer;
    return { messages, ...(await measureDisk(this.#db.location())), ...(batches && { batches }) };
  }

  async close(): Promise<void> {
    this.#snapshot.end();
    // The last connection to close moves the log into the file, and only one that may write can do that.
    this.#db.close();
    await this.#writer.close();
  }

  /** A list, or a part of it, has whatever any process had acknowledged when it was asked for: no older snapshot will do. */
  #read<Result>(read: () => Result): Promise<Result> {
    return answer(() => {
      this.#snapshot.end();
      this.#snapshot.begin();
      return read();
    });
  }

  #readLastSeq(): number | null {
    const [seq] = this.#lastSeq.get() as unknown as [number | null];
    return seq;
  }
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
