import type { DatabaseSync } from 'node:sqlite';
import { createMessage, type Sha, type StoredMessage } from '../../src/messages/message.ts';
import { createBatchInsert } from '../../src/stores/sqlite/batch-insert.ts';
import { MEMORY_PATH, openConnection } from '../../src/stores/sqlite/connection.ts';
import { migrate } from '../../src/stores/sqlite/migrations.ts';
import { createBeginWrite } from '../../src/stores/sqlite/write-lock.ts';
import { dispose, disposeLeftovers } from '../support/leftovers.ts';

afterEach(disposeLeftovers);

const message = (text: string): StoredMessage => createMessage(text, 1_000_000, 1_000);

function openMigrated(): DatabaseSync {
  const db = openConnection({ path: MEMORY_PATH, busyTimeoutMs: 0 });
  dispose(() => {
    db.close();
  });
  migrate(db);
  return db;
}

const textsIn = (db: DatabaseSync): string[] =>
  db
    .prepare('SELECT content FROM message ORDER BY seq')
    .all()
    .map(({ content }) => Buffer.from(content as Uint8Array).toString());

test.each([0, 1, 2])('a message that the schema refuses fails alone, at place %i of its batch', (place) => {
  const db = openMigrated();
  const batch = [message('one'), message('two')];
  batch.splice(place, 0, { ...message('refused'), sha: 'ab' as Sha });
  const outcome = createBatchInsert(db, createBeginWrite(db))(batch);
  expect([...outcome]).toEqual([[place, { errcode: 275, message: 'CHECK constraint failed: length(sha) = 32' }]]);
  expect(textsIn(db)).toEqual(['one', 'two']);
  expect(db.isTransaction).toBe(false);
});

test('a failure that undoes the transaction, but is not for lack of room, fails the batch, and only this one', () => {
  const db = openMigrated();
  const batchInsert = createBatchInsert(db, createBeginWrite(db));
  db.exec(`CREATE TRIGGER refuse BEFORE INSERT ON message WHEN NEW.content = CAST('bad' AS BLOB)
           BEGIN SELECT RAISE(ROLLBACK, 'refused'); END`);
  const outcome = batchInsert([message('one'), message('bad'), message('two')]);
  const failure = { errcode: 1811, message: 'refused' };
  expect([...outcome]).toEqual([0, 1, 2].map((place) => [place, failure]));
  expect([...batchInsert([message('one'), message('two')])]).toEqual([]);
  expect(textsIn(db)).toEqual(['one', 'two']);
});

test('where there is no room for the whole batch, what fits is kept and only the rest fails', () => {
  const db = openMigrated();
  const batchInsert = createBatchInsert(db, createBeginWrite(db));
  db.exec('PRAGMA max_page_count = 20');
  const big = message('x'.repeat(100_000));
  const known = { ...message('one'), createdAt: 2_000 };
  const outcome = batchInsert([message('one'), big, message('two'), known, big]);
  const full = { errcode: 13, message: 'database or disk is full' };
  expect([...outcome]).toMatchObject([[1, full], [3, { createdAt: 1_000 }], [4, full]]); // prettier-ignore
  expect(textsIn(db)).toEqual(['one', 'two']);
  db.exec('PRAGMA max_page_count = 1000');
  expect([...batchInsert([big])]).toEqual([]);
});
