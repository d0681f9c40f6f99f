import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { createMessage, shaOf, type StoredMessage } from '../../src/messages/message.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { Client } from '../support/client.ts';
import { dispose, disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { ROOT, spawnService } from '../support/process.ts';
import { createTestCertificate, settingsFor } from '../support/service.ts';

afterEach(disposeLeftovers);

const message = (text: string): StoredMessage => createMessage(text, 1_000_000, 1_000);

/** A process that holds the lock for writing until it is told to end. */
async function holdWriteLock(path: string): Promise<() => Promise<unknown>> {
  const program = `
    const db = new (require('node:sqlite').DatabaseSync)(${JSON.stringify(path)});
    db.exec('BEGIN IMMEDIATE');
    console.log('held');
    process.stdin.resume().on('end', () => db.close());`;
  const holder = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  dispose(() => holder.kill('SIGKILL'));
  await once(holder.stdout, 'data');
  return () => {
    const exited = once(holder, 'exit');
    holder.stdin.end();
    return exited;
  };
}

/** Two services on one file, and clients of theirs in turn. */
async function startTwo(clientCount: number): Promise<Client[]> {
  const certificate = await createTestCertificate();
  const cwd = temporaryFolder();
  const services = [1, 2].map(() => spawnService({ env: settingsFor(certificate), cwd }));
  const urls = await Promise.all(services.map(({ url }) => url));
  const clients = Array.from({ length: clientCount }, (_, index) => new Client(urls[index % 2] ?? '', certificate.ca));
  dispose(() => {
    for (const client of clients) client.close();
  });
  return clients;
}

test('a lock that another process holds too long is STORE_BUSY; the event loop and reads do not wait for it', async () => {
  const path = join(temporaryFolder(), 'x.db');
  const store = await openStore({ kind: 'sqlite', path });
  dispose(() => store.close());
  const { sha } = message('before');
  await store.add(message('before'));
  const release = await holdWriteLock(path);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const begun = performance.now();
  const answered = new AbortController();
  const blocked = store.add(message('blocked')).finally(() => {
    answered.abort();
  });
  blocked.catch(() => undefined);
  let reads = 0;
  for (; !answered.signal.aborted; reads++) {
    expect(await store.find(sha)).toBeDefined();
    await sleep(5);
  }
  await expect(blocked).rejects.toMatchObject({ code: 'STORE_BUSY' });
  delay.disable();
  expect(performance.now() - begun).toBeGreaterThan(4_900);
  expect(performance.now() - begun).toBeLessThan(7_000);
  expect(delay.max / 1e6).toBeLessThan(1000);
  expect(reads).toBeGreaterThan(100);
  // Busy is no failure: the store is ready, and writes when the lock is free, also while it is waited for.
  await store.ping();
  const waiting = store.add(message('waiting'));
  await release();
  await waiting;
}, 20_000);

test('64 clients of two processes post the same text at once, many times: 201 for all, one row each', async () => {
  const clients = await startTwo(64);
  const texts = Array.from({ length: 20 }, (_, round) => `the same, round ${round}`);
  for (const text of texts) {
    const answers = await Promise.all(
      clients.map((client) => client.post('/messages', JSON.stringify({ message: text }))),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ json }) => (json as { digest: string }).digest)).size).toBe(1);
  }
  for (const client of clients.slice(0, 2)) {
    const { digestList } = (await client.get('/messages')).json as { digestList: string[] };
    expect(digestList).toEqual(texts.map((text) => shaOf(text)));
  }
}, 60_000);

/** A process that adds messages of 20 kB to a store, 16 at a time; resolves when it has ended. */
async function writeMuch(path: string, count: number): Promise<void> {
  const program = `(async () => {
    const { openStore } = await import('${ROOT}dist/stores/open-store.js');
    const { createMessage } = await import('${ROOT}dist/messages/message.js');
    const store = await openStore({ kind: 'sqlite', path: ${JSON.stringify(path)} });
    let left = ${count};
    await Promise.all(Array.from({ length: 16 }, async () => {
      while (left-- > 0) await store.add(createMessage((process.pid + ' ' + left).padEnd(20_000, 'x'), 1e6, 1));
    }));
    await store.close();
  })()`;
  const writer = spawn(process.execPath, ['-e', program], { stdio: 'inherit' });
  dispose(() => writer.kill('SIGKILL'));
  expect(await once(writer, 'exit')).toEqual([0, null]);
}

test('the log stays below 64 MiB while two processes write without a pause and a list is read slowly', async () => {
  const path = join(temporaryFolder(), 'x.db');
  const store = await openStore({ kind: 'sqlite', path });
  dispose(() => store.close());
  await Promise.all(Array.from({ length: 5_000 }, (_, index) => store.add(message(`${index}`))));
  const ended = new AbortController();
  const writing = Promise.all([writeMuch(path, 3_500), writeMuch(path, 3_500)]).finally(() => {
    ended.abort();
  });
  const list = store.shas()[Symbol.asyncIterator]();
  let peak = 0;
  for (let index = 0; !ended.signal.aborted; index++) {
    if (index % 50 === 0) await list.next();
    peak = Math.max(peak, statSync(`${path}-wal`).size);
    await sleep(10);
  }
  await writing;
  expect(statSync(path).size).toBeGreaterThan(128 * 1024 * 1024);
  expect(peak).toBeLessThan(64 * 1024 * 1024);
  console.info(`the log had at most ${peak >> 20} MiB`);
}, 120_000);
