import { join } from 'node:path';
import { createMessage } from '../../src/messages/message.ts';
import { migrate } from '../../src/stores/sqlite/migrations.ts';
import { openConnection } from '../../src/stores/sqlite/connection.ts';
import { ThreadWriter } from '../../src/stores/sqlite/writer.ts';
import { disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';

afterEach(disposeLeftovers);

function migratedFile(): string {
  const path = join(temporaryFolder(), 'x.db');
  using db = openConnection({ path, busyTimeoutMs: 0 });
  migrate(db);
  return path;
}

test('a program fault in the thread fails every write, says so once for all, and does not hold up the end', async () => {
  const writer = await ThreadWriter.start(migratedFile());
  const good = createMessage('good', 100, 0);
  await writer.add(good);
  // SQLite has no such type: node:sqlite refuses to bind it, which is no failure of the store.
  const broken = { ...createMessage('broken', 100, 0), createdAt: {} as unknown as number };
  await expect(writer.add(broken)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  await expect(writer.failed).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  expect(writer.failure).toMatchObject({ code: 'STORE_UNAVAILABLE' });
  await expect(writer.add(good)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  await writer.close();
});

test('a thread that cannot open the file does not start', async () => {
  await expect(ThreadWriter.start('/nowhere/x.db')).rejects.toThrow('unable to open database file');
});
