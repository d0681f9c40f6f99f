import type { DatabaseSync } from 'node:sqlite';
import { readPragma } from './connection.ts';

/**
 * The schema's history; the database's user_version counts the entries that it has. Entries are only ever appended.
 *
 * `seq` is the order of the list. `content` stands last because a row's large tail is only read when it is asked for.
 */
const migrations: readonly string[] = [
  `CREATE TABLE message (
     seq        INTEGER PRIMARY KEY,
     sha        BLOB    NOT NULL UNIQUE CHECK (length(sha) = 32),
     created_at INTEGER NOT NULL,
     content    BLOB    NOT NULL
   ) STRICT`,
];

/**
 * Brings the schema up to date, all in one transaction, so that a crash leaves the old schema or the new one and two
 * processes that start together do not meet.
 *
 * @throws Error when the schema is newer than this program, or is not Hashpost's.
 */
export function migrate(db: DatabaseSync): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    const version = Number(readPragma(db, 'user_version'));
    assertKnown(db, version);
    for (const migration of migrations.slice(version)) db.exec(migration);
    db.exec(`PRAGMA user_version = ${migrations.length}`);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** @throws Error when the schema is not exactly the one that this program reads. */
export function assertCurrent(db: DatabaseSync): void {
  const version = Number(readPragma(db, 'user_version'));
  assertKnown(db, version);
  if (version < migrations.length) throw new Error('its schema is not up to date: start the service with it once');
}

function assertKnown(db: DatabaseSync, version: number): void {
  if (version > migrations.length) {
    throw new Error(
      `its schema has version ${version}, this program knows up to ${migrations.length}: run a newer Hashpost`,
    );
  }
  const isEmpty = db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
  if (version === 0 && !isEmpty) throw new Error('it holds tables of another program');
}
