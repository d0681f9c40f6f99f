import { backup, DatabaseSync } from 'node:sqlite';
import { openForReading } from './connection.ts';

/** 4 MiB: often enough to be stopped, seldom enough to cost nothing. */
const PAGES_PER_STEP = 1024;

/**
 * Copies a database as it is when the copy begins: all that was acknowledged by then is inside. Others may read and write
 * meanwhile; only their log is not emptied, so it grows by what they write until the copy is done.
 *
 * @param to an empty file; afterwards a database that needs no other file.
 * @param onProgress called between the steps; what it throws ends the copy and is thrown.
 */
export async function backupDatabase(
  path: string,
  to: string,
  onProgress: (donePages: number, totalPages: number) => void,
): Promise<void> {
  using db = openForReading(path);
  // One snapshot for all steps: otherwise SQLite begins anew whenever another process has committed, and may never end.
  db.exec('BEGIN');
  db.prepare('SELECT 1 FROM sqlite_schema').get();
  await backup(db, to, {
    rate: PAGES_PER_STEP,
    progress: ({ totalPages, remainingPages }) => {
      onProgress(totalPages - remainingPages, totalPages);
    },
  });
  using copy = new DatabaseSync(to);
  // It was copied with the page that says WAL, which cannot be opened where no file can be made beside it.
  copy.exec('PRAGMA journal_mode = DELETE');
}
