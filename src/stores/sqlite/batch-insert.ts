import type { DatabaseSync } from 'node:sqlite';
import type { StoredMessage } from '../../messages/message.ts';
import type { BatchOutcome } from '../group-commit.ts';
import { FIND_SQL, prepare, toKey, type FoundRow } from './rows.ts';
import { isBusy, isLackOfRoom, toPassingFailure, type SqliteFailure } from './sqlite-error.ts';

/** Plain, so that it can pass between threads. */
export type InsertOutcome = BatchOutcome<SqliteFailure>;

/**
 * Makes the function that inserts messages in one transaction, with one sync of the disk at its commit.
 *
 * A message that fails by itself does not keep the others from being stored. The function throws only what must end
 * all writing (see `toPassingFailure`).
 */
export function createBatchInsert(
  db: DatabaseSync,
  beginWrite: () => void,
): (messages: readonly StoredMessage[]) => InsertOutcome {
  const insert = db.prepare(
    'INSERT INTO message (sha, created_at, content) VALUES (?, ?, CAST(? AS BLOB)) ON CONFLICT (sha) DO NOTHING',
  );
  const find = prepare(db, FIND_SQL);

  /** @returns undefined when the message is new, else what was there before. */
  function insertOne({ sha, createdAt, text }: StoredMessage): StoredMessage | undefined {
    const key = toKey(sha);
    if (insert.run(key, createdAt, text).changes === 1) return undefined;
    const [firstCreatedAt, firstText] = find.get(key) as unknown as FoundRow;
    return { sha, text: firstText, createdAt: firstCreatedAt };
  }

  /** @throws what SQLite threw when nothing of the batch is stored. */
  function insertTogether(messages: readonly StoredMessage[]): InsertOutcome {
    const outcome = new Map<number, StoredMessage | SqliteFailure>();
    beginWrite();
    messages.forEach((message, index) => {
      try {
        const known = insertOne(message);
        if (known) outcome.set(index, known);
      } catch (error) {
        // Some failures undo the whole transaction, and what was inserted before with it.
        if (!db.isTransaction) throw error;
        outcome.set(index, toPassingFailure(error));
      }
    });
    db.exec('COMMIT');
    return outcome;
  }

  function insertEach(messages: readonly StoredMessage[]): InsertOutcome {
    const outcome = new Map<number, StoredMessage | SqliteFailure>();
    let busy: SqliteFailure | undefined;
    messages.forEach((message, index) => {
      const own = busy ?? batchInsert([message]).get(0);
      if (!own) return;
      outcome.set(index, own);
      // To wait once for whoever has the lock is enough for all.
      if ('errcode' in own && isBusy(own)) busy = own;
    });
    return outcome;
  }

  function batchInsert(messages: readonly StoredMessage[]): InsertOutcome {
    try {
      return insertTogether(messages);
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      const failure = toPassingFailure(error);
      // Where there is no room for all of them, there may be for some.
      if (messages.length > 1 && isLackOfRoom(failure)) return insertEach(messages);
      return new Map(messages.map((_, index) => [index, failure]));
    }
  }

  return batchInsert;
}
