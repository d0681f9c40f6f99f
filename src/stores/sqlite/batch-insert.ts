import type { DatabaseSync } from 'node:sqlite';
import type { StoredMessage } from '../../messages/message.ts';
import { FIND_SQL, toKey, toStoredMessage } from './rows.ts';

/** What was there before: nothing (the message is new), or the message as it was first stored. */
export type InsertResult = StoredMessage | undefined;

/**
 * Makes the function that inserts messages in one transaction, with one sync of the disk at its commit.
 *
 * The transaction is IMMEDIATE, so it never has to upgrade a read lock and cannot meet SQLITE_BUSY_SNAPSHOT.
 * When anything fails, nothing of the batch is stored and the function throws what SQLite threw.
 */
export function createBatchInsert(db: DatabaseSync): (messages: readonly StoredMessage[]) => InsertResult[] {
  const insert = db.prepare(
    'INSERT INTO message (sha, created_at, content) VALUES (?, ?, ?) ON CONFLICT (sha) DO NOTHING',
  );
  const find = db.prepare(FIND_SQL);

  const insertOne = ({ sha, createdAt, content }: StoredMessage): InsertResult => {
    const key = toKey(sha);
    if (insert.run(key, createdAt, content).changes === 1) return undefined;
    const row = find.get(key);
    return row && toStoredMessage(sha, row);
  };

  return function batchInsert(messages) {
    db.exec('BEGIN IMMEDIATE');
    try {
      const results = messages.map(insertOne);
      db.exec('COMMIT');
      return results;
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  };
}
