import type { DatabaseSync } from 'node:sqlite';
import { isBusy, toSqliteFailure } from './sqlite-error.ts';

/** Long enough for other processes' commits on a slow disk; a caller hears STORE_BUSY after it. */
const LIMIT_MS = 5000;
const RETRY_MS = 1;
/** Long enough for everybody who waits to ask once. */
const YIELD_MS = 2;
const YIELD_AFTER_WAIT_MS = 1000;

/**
 * Makes the function that begins a transaction with the lock for writing, of which a file has one for all processes.
 * It is IMMEDIATE, so it never has to upgrade a read lock and cannot meet SQLITE_BUSY_SNAPSHOT.
 *
 * SQLite's own wait sleeps up to 100 ms between its attempts, while a busy process leaves the lock free for less than
 * a millisecond between two commits: on a slow disk it would keep others from it for seconds. So this asks every
 * millisecond, of a connection that does not wait itself, and lets others ask first where there are any: where it
 * had to wait within the last second. The calling thread sleeps.
 *
 * The function throws what SQLite threw: SQLITE_BUSY after five seconds.
 */
export function createBeginWrite(db: DatabaseSync): () => void {
  let waitedAt = -Infinity;

  return function beginWrite() {
    const begun = performance.now();
    if (begun - waitedAt < YIELD_AFTER_WAIT_MS) sleep(YIELD_MS);
    while (!tryBegin(db, begun + LIMIT_MS)) {
      waitedAt = performance.now();
      sleep(RETRY_MS);
    }
  };
}

/** @returns false when another process has the lock, until the deadline. */
function tryBegin(db: DatabaseSync, deadline: number): boolean {
  try {
    db.exec('BEGIN IMMEDIATE');
    return true;
  } catch (error) {
    const failure = toSqliteFailure(error);
    if (failure && isBusy(failure) && performance.now() < deadline) return false;
    throw error;
  }
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

function sleep(milliseconds: number): void {
  Atomics.wait(sleeper, 0, 0, milliseconds);
}
