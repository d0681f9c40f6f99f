import { openForReading } from './connection.ts';
import { isCorrupt, toSqliteFailure } from './sqlite-error.ts';

/**
 * What SQLite finds wrong with the structure of a file (sqlite.org/pragma.html#pragma_integrity_check): a sentence each,
 * at most 100, none of which quotes a text. The calling thread is blocked while the file is read.
 *
 * @throws Error when the file cannot be looked at.
 */
export function findFileFaults(path: string): readonly string[] {
  try {
    using db = openForReading(path);
    const rows = db.prepare('PRAGMA integrity_check').all();
    const lines = rows.flatMap(({ integrity_check: fault }) => String(fault).split('\n'));
    return lines.filter((line) => line !== 'ok' && !line.startsWith('***'));
  } catch (error) {
    const failure = toSqliteFailure(error);
    if (failure && isCorrupt(failure)) return [failure.message];
    throw error;
  }
}
