import type { DatabaseSync } from 'node:sqlite';
import { toPassingFailure } from './sqlite-error.ts';

/** Pages that the log may gain before they are moved into the file: SQLite's own default. */
const PAGES_BETWEEN = 1000;

/** From this many pages on (16 MiB), other writers are made to wait while the log is emptied. */
const MAX_PAGES = 4096;

/** How long emptying the log may wait for readers to leave it. */
const READERS_TIMEOUT_MS = 100;

/**
 * Makes the function that moves the log into the file when it is time, to be called between transactions.
 *
 * SQLite would do that by itself at the end of some commit, but keep to itself whether the sync of the file failed.
 * Here the function throws when that happens, and nobody may write any more. Without room, or while others keep it
 * from working, it tries again after as many pages as before.
 */
export function createCheckpoint(db: DatabaseSync, beginWrite: () => void): () => void {
  // All processes write to one log: its length is asked of SQLite, not counted. NOOP moves nothing.
  const look = db.prepare('PRAGMA wal_checkpoint(NOOP)');
  let tried = 0;

  function checkpoint(): void {
    const pages = Number(look.get()?.['log']);
    // It is shorter when it has begun anew.
    if (pages < tried) tried = 0;
    if (pages - tried < PAGES_BETWEEN) return;
    tried = pages;
    db.exec('PRAGMA wal_checkpoint(PASSIVE)');
    // What another process appends meanwhile is left out, and a log begins anew only once nothing is left of it.
    if (pages >= MAX_PAGES) emptyLog();
  }

  function emptyLog(): void {
    // Who has just had the lock gets it again before those who ask every millisecond.
    beginWrite();
    db.exec('ROLLBACK');
    db.exec(`PRAGMA busy_timeout = ${READERS_TIMEOUT_MS}`);
    try {
      db.exec('PRAGMA wal_checkpoint(RESTART)');
    } finally {
      db.exec('PRAGMA busy_timeout = 0');
    }
  }

  return function checkpointWhenDue() {
    try {
      checkpoint();
    } catch (error) {
      toPassingFailure(error);
    }
  };
}
