import type { DatabaseSync } from 'node:sqlite';
import { identify } from './connection.ts';

/** How long readers, which are quick, may hold up the move of the log into the file. */
const CHECKPOINT_MS = 1000;

/**
 * Makes the function that looks whether the paths of an open database still lead to its files: what is written to one
 * that was moved away, or replaced, would not be found again. To be called between transactions.
 *
 * The function throws Error if they do not, once the log is in the file: left at its path, the log would be mixed into
 * whatever database the next start finds there (sqlite.org/howtocorrupt.html).
 */
export function createAssertInPlace(db: DatabaseSync, path: string): () => void {
  const files = [path, `${path}-wal`];
  const opened = files.map(identify);

  return function assertInPlace() {
    if (files.every((file, index) => identify(file) === opened[index])) return;
    db.exec(`PRAGMA busy_timeout = ${CHECKPOINT_MS}`);
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    throw Object.assign(new Error('the database file was moved or replaced while it was in use'), {
      code: 'ERR_DATABASE_FILE',
    });
  };
}
