import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createMessage, type StoredMessage } from '../../src/messages/message.ts';
import type { MessageStore } from '../../src/messages/message.store.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { openConnection, readPragma } from '../../src/stores/sqlite/connection.ts';
import { dispose, disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';

afterEach(disposeLeftovers);

const message = (text: string): StoredMessage => createMessage(text, 1_000_000, 1_000);

async function open(path: string): Promise<MessageStore> {
  const store = await openStore({ kind: 'sqlite', path });
  dispose(() => store.close().catch(() => undefined));
  return store;
}

test('every connection has the log, and syncs it at each commit', () => {
  const path = join(temporaryFolder(), 'x.db');
  for (const readOnly of [false, true]) {
    const db = openConnection({ path, readOnly, busyTimeoutMs: 0 });
    const names = ['journal_mode', 'synchronous', 'wal_autocheckpoint', 'mmap_size', 'foreign_keys', 'trusted_schema'];
    expect(names.map((name) => readPragma(db, name))).toEqual(['wal', 2, 0, 0, 1, 0]);
    db.close();
  }
});

test('files are private to their user, whatever the umask, and what is closed is one file', async () => {
  const folder = join(temporaryFolder(), 'data');
  const umask = process.umask(0);
  const store = await open(join(folder, 'messages.db')).finally(() => process.umask(umask));
  await store.add(message('foo'));
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(readdirSync(folder).map((file) => [file, statSync(join(folder, file)).mode & 0o777])).toEqual([
    ['messages.db', 0o600],
    ['messages.db-shm', 0o600],
    ['messages.db-wal', 0o600],
  ]);
  await store.close();
  expect(readdirSync(folder)).toEqual(['messages.db']);
});

test('a message that is refused leaves no gap in the count', async () => {
  const path = join(temporaryFolder(), 'x.db');
  const store = await open(path);
  await store.add(message('a'));
  const other = new DatabaseSync(path);
  other.exec(
    "CREATE TRIGGER refuse BEFORE INSERT ON message WHEN new.created_at = 7 BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
  );
  other.close();
  const refused = store.add({ ...message('b'), createdAt: 7 }).catch((error: unknown) => error);
  expect(await refused).toBeInstanceOf(Error);
  await store.add(message('c'));
  expect(await store.stats()).toMatchObject({ messages: 2 });
});

test('stats know the length of the log, and how many messages shared a commit', async () => {
  const path = join(temporaryFolder(), 'x.db');
  const store = await open(path);
  await Promise.all(['a', 'b', 'c', 'a'].map((text) => store.add(message(text))));
  const { walBytes, batches } = await store.stats();
  expect(walBytes).toBe(statSync(`${path}-wal`).size);
  expect(walBytes).toBeGreaterThan(0);
  expect(batches).toEqual({ count: 1, messages: 4 });
});

test('messages, their order and their times outlive the process', async () => {
  const path = join(temporaryFolder(), 'x.db');
  const first = await open(path);
  for (const text of ['z', 'a', 'm']) await first.add(message(text));
  await first.close();
  const second = await open(path);
  const { items } = await second.page({ direction: 'forward', cursor: undefined, limit: 10 }, 1_000);
  expect(items.map(({ text, createdAt }) => [text, createdAt])).toEqual([['z', 1_000], ['a', 1_000], ['m', 1_000]]); // prettier-ignore
});

test('reads that share a snapshot see what was acknowledged in the meantime', async () => {
  const store = await open(join(temporaryFolder(), 'x.db'));
  for (let index = 0; index < 20; index++) {
    const added = message(`text ${index}`);
    const adding = store.add(added);
    setImmediate(() => {
      void store.find(message('absent').sha);
      // The commit happens while this turn of the event loop, and with it the snapshot, goes on.
      const end = performance.now() + 20;
      while (performance.now() < end);
    });
    await adding;
    expect(await store.find(added.sha)).toEqual(added);
  }
});

test('what one process has acknowledged, another sees from its next turn on', async () => {
  const path = join(temporaryFolder(), 'x.db');
  const [one, other] = [await open(path), await open(path)];
  for (let index = 0; index < 100; index++) {
    const added = message(`text ${index}`);
    await one.find(added.sha);
    await other.add(added);
    await new Promise(setImmediate);
    expect(await one.find(added.sha)).toEqual(added);
  }
});

test('two processes may have one file open: both write, both see everything', async () => {
  const path = join(temporaryFolder(), 'x.db');
  const [one, other] = [await open(path), await open(path)];
  const texts = Array.from({ length: 500 }, (_, index) => `text ${index}`);
  await Promise.all(texts.flatMap((text) => [one.add(message(text)), other.add(message(text))]));
  for (const store of [one, other]) {
    const { items } = await store.summaryPage({ direction: 'forward', cursor: undefined, limit: 1_000 });
    expect(new Set(items.map(({ sha }) => sha))).toEqual(new Set(texts.map((text) => message(text).sha)));
    expect(items).toHaveLength(500);
  }
});

test('why a write failed is in the error, for the log', async () => {
  const path = join(temporaryFolder(), 'x.db');
  const store = await open(path);
  const other = new DatabaseSync(path);
  other.exec('DROP TABLE message');
  other.close();
  const error: unknown = await store.add(message('foo')).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', cause: { message: 'no such table: message' } });
});

const unusable: Record<string, [(path: string) => void, RegExp]> = {
  'has a newer schema': [
    (path) => {
      const db = new DatabaseSync(path);
      db.exec('PRAGMA user_version = 99');
      db.close();
    },
    /schema has version 99.*newer Hashpost/,
  ],
  "is another program's": [
    (path) => {
      const db = new DatabaseSync(path);
      db.exec('CREATE TABLE message (x)');
      db.close();
    },
    /tables of another program/,
  ],
  'is no database': [(path) => writeFileSync(path, 'not a database'.repeat(1_000)), /not a database/],
  'is a folder': [(path) => mkdirSync(path), /EISDIR/],
};

test('a folder above the folder of the file is not made: such a path is a mistake', async () => {
  const path = join(temporaryFolder(), 'a', 'b', 'x.db');
  await expect(open(path)).rejects.toThrow(/x\.db cannot be used: .*ENOENT/);
});

test.each(Object.entries(unusable))(
  'a file that %s is refused by name and left as it is',
  async (_, [prepare, reason]) => {
    const path = join(temporaryFolder(), 'x.db');
    prepare(path);
    const before = statSync(path).size;
    await expect(open(path)).rejects.toThrow(reason);
    await expect(open(path)).rejects.toThrow(path);
    expect(statSync(path).size).toBe(before);
  },
);

test('a page that cannot be read fails the reads of it, and nothing else', async () => {
  const path = join(temporaryFolder(), 'x.db');
  const writing = await open(path);
  const texts = Array.from({ length: 2000 }, (_, index) => `text ${index}`);
  await Promise.all(texts.map((text) => writing.add(message(text))));
  await writing.close();
  const file = readFileSync(path);
  const start = Math.floor(file.indexOf('text 1000') / 4096) * 4096;
  writeFileSync(path, file.fill(0xaa, start, start + 4096));
  const store = await open(path);
  await expect(store.find(message('text 1000').sha)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  // The end of the turn ends the snapshot of the failed read.
  await new Promise(setImmediate);
  expect(await store.find(message('text 10').sha)).toMatchObject({ text: 'text 10' });
});
