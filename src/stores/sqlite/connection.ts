import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** The path by which SQLite knows a database in memory (sqlite.org/inmemorydb.html). */
export const MEMORY_PATH = ':memory:';

/**
 * Below this, two connections that write or checkpoint at once can lose a commit ("WAL-reset bug",
 * sqlite.org/wal.html#walresetbug).
 */
const MIN_SQLITE_VERSION = '3.51.3';

/** Set on every connection and read back, as [name, what to set, what to read]. */
const pragmas: readonly (readonly [string, string, string | number])[] = [
  // WAL syncs its log at every commit only under FULL: NORMAL may lose acknowledged commits on power loss.
  ['synchronous', 'FULL', 2],
  ['foreign_keys', 'ON', 1],
  ['trusted_schema', 'OFF', 0],
  ['cell_size_check', 'ON', 1],
];

const filePragmas: typeof pragmas = [
  ['journal_mode', 'WAL', 'wal'],
  ['mmap_size', '0', 0],
  ['journal_size_limit', '67108864', 67_108_864],
  // checkpoint.ts does it, and does not overlook a failed sync.
  ['wal_autocheckpoint', '0', 0],
];

/** Another process may recover the log of one that died, or hold the file while it is closed. */
const READING_TIMEOUT_MS = 5000;

export interface ConnectionOptions {
  readonly path: string;
  readonly readOnly?: boolean;
  /** How long a statement may wait for another connection's lock; the calling thread is blocked meanwhile. */
  readonly busyTimeoutMs: number;
}

/** @throws Error when the file cannot be opened, or when SQLite does not confirm a pragma. */
export function openConnection({ path, readOnly = false, busyTimeoutMs }: ConnectionOptions): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly, timeout: busyTimeoutMs });
  try {
    assertVersion(db);
    setPragmas(db, path === MEMORY_PATH ? pragmas : [...filePragmas, ...pragmas]);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * Opens a file to read it as it is: nothing is made or migrated, and its journal mode stays. The connection is not
 * read-only to SQLite, because the last one to close only takes the -wal and -shm away when it may write.
 *
 * @throws Error when there is no such file, or when it cannot be opened.
 */
export function openForReading(path: string): DatabaseSync {
  if (!existsSync(path)) throw new Error('there is no such file');
  const db = new DatabaseSync(path, { timeout: READING_TIMEOUT_MS });
  try {
    assertVersion(db);
    setPragmas(db, [['query_only', 'ON', 1], ...pragmas]);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

export function readPragma(db: DatabaseSync, name: string): unknown {
  const row = db.prepare(`PRAGMA ${name}`).get();
  return row && Object.values(row)[0];
}

/**
 * Makes the file before SQLite does, so that it (and the -wal and -shm that copy its mode) is private to its user. Its
 * folder is made too, but none above it: a path that is wrong from the root is more likely a mistake than a wish.
 */
export function createPrivateFile(path: string): void {
  const folder = dirname(path);
  if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
  closeSync(openSync(path, 'a', 0o600));
}

/**
 * Makes sure that the names of a database's open files outlive a crash. SQLite does so too when it makes the log, but
 * overlooks when it fails.
 *
 * @throws Error when the system cannot tell.
 */
export function syncFolderOf(path: string): void {
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** What a path leads to, by device and number; undefined where there is nothing. */
export function identify(path: string): string | undefined {
  const file = statSync(path, { bigint: true, throwIfNoEntry: false });
  return file && `${file.dev}:${file.ino}`;
}

function setPragmas(db: DatabaseSync, wanted: typeof pragmas): void {
  for (const [name, value, expected] of wanted) {
    db.exec(`PRAGMA ${name} = ${value}`);
    const actual = readPragma(db, name);
    if (actual !== expected) throw new Error(`SQLite answers ${String(actual)} to PRAGMA ${name} = ${value}`);
  }
}

function assertVersion(db: DatabaseSync): void {
  const version = String(db.prepare('SELECT sqlite_version() AS version').get()?.['version']);
  if (version.localeCompare(MIN_SQLITE_VERSION, 'en', { numeric: true }) < 0) {
    throw new Error(`SQLite ${version} is too old: ${MIN_SQLITE_VERSION} or newer is needed; update Node.js`);
  }
}
