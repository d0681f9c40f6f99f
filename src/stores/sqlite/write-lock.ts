import type { DatabaseSync } from 'node:sqlite';
import { toSqliteFailure } from './sqlite-error.ts';

/** Long enough for other processes' commits on a slow disk; a caller hears STORE_BUSY after it. */
const LIMIT_MS = 5000;
const PAUSE_MS = 1;
const SQLITE_BUSY = 5;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * Begins a transaction that holds the lock for writing, of which a file has one for all processes. It is IMMEDIATE, so
 * it never has to upgrade a read lock and cannot meet SQLITE_BUSY_SNAPSHOT.
 *
 * SQLite's own wait sleeps up to 100 ms between its attempts, while the lock is free for less than a millisecond
 * between two commits of a busy process: on a slow disk one process would keep another from it for seconds. So this
 * asks every millisecond, of a connection that does not wait itself. The calling thread sleeps.
 *
 * @throws what SQLite threw; SQLITE_BUSY after five seconds.
 */
export function beginWrite(db: DatabaseSync): void {
  const deadline = performance.now() + LIMIT_MS;
  for (;;) {
    try {
      db.exec('BEGIN IMMEDIATE');
      return;
    } catch (error) {
      const isBusy = toSqliteFailure(error)?.errcode === SQLITE_BUSY;
      if (!isBusy || performance.now() > deadline) throw error;
      Atomics.wait(sleeper, 0, 0, PAUSE_MS);
    }
  }
}
