import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '../support/client.ts';
import { disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { ROOT } from '../support/process.ts';
import { createTestCertificate, settingsFor } from '../support/service.ts';
import { assertStrace, spawnTraced } from '../support/strace.ts';

const WRITES = 200;
const CLIENTS = 16;
const SYNC_MS = 20;

const MAIN = join(ROOT, 'dist/main.js');

beforeAll(assertStrace);
afterEach(disposeLeftovers);

/** A copy of the service with one line of it spoilt. */
function spoil(file: string, from: string, to: string): string {
  const folder = temporaryFolder();
  cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const path = join(folder, 'dist/stores/sqlite', file);
  const source = readFileSync(path, 'utf8');
  const spoilt = source.replace(from, to);
  expect(spoilt).not.toBe(source);
  writeFileSync(path, spoilt);
  return join(folder, 'dist/main.js');
}

/** Runs a service under strace while clients use it; resolves with the lines of the trace. */
async function trace(
  main: string,
  straceArgs: readonly string[],
  use: (clients: readonly Client[]) => Promise<void>,
): Promise<string[]> {
  const certificate = await createTestCertificate();
  const cwd = temporaryFolder();
  const traceFile = join(cwd, 'trace');
  const service = await spawnTraced({ env: settingsFor(certificate), cwd, main }, ...straceArgs, '-o', traceFile);
  const url = await service.url;
  const clients = Array.from({ length: CLIENTS }, () => new Client(url, certificate.ca));
  await use(clients);
  for (const client of clients) client.close();
  await service.stop();
  return readFileSync(traceFile, 'utf8').split('\n');
}

async function post(client: Client, text: string): Promise<void> {
  const { status } = await client.post('/messages', JSON.stringify({ message: text }));
  expect(status).toBe(201);
}

interface Order {
  /** Answers that went out while the log held a write that no sync had yet covered. */
  early: number;
  /** Answers after which all writes were synced. */
  covered: number;
  /** Writes to the file before the log was synced, and logs begun anew before the file was. */
  unsafe: number;
  /** Syncs of the file. */
  checkpoints: number;
}

/** Posts new texts one by one, and reads from the system calls what preceded each answer and each checkpoint. */
async function traceOrder(main: string): Promise<Order> {
  const calls = 'pwrite64,fsync,fdatasync,write,writev,sendto,sendmsg';
  const lines = await trace(main, ['-s', '0', '-e', `trace=${calls}`], async ([client]) => {
    for (let index = 0; index < WRITES; index++) await post(client as Client, `text ${index} `.padEnd(40_000, 'x'));
  });
  const order: Order = { early: 0, covered: 0, unsafe: 0, checkpoints: 0 };
  let [isLogDirty, isFileDirty, sinceAnswer] = [false, false, 0];
  const unfinished = new Map<string, string>();
  for (const line of lines) {
    const [, thread = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const resumed = rest.startsWith('<...');
    if (rest.endsWith('<unfinished ...>')) unfinished.set(thread, rest);
    const call = resumed ? (unfinished.get(thread) ?? '') : rest;
    // A write counts from when it begins, a sync only when it has returned 0. Descriptors 1 and 2 are the log's.
    if (/^pwrite64\(\d+<[^>]*x\.db-wal>/.test(call) && !resumed) {
      if (isFileDirty && /, 0(\)| <unf)/.test(call)) order.unsafe++;
      isLogDirty = true;
      sinceAnswer++;
    } else if (/^pwrite64\(\d+<[^>]*x\.db>/.test(call) && !resumed) {
      if (isLogDirty) order.unsafe++;
      isFileDirty = true;
    } else if (/^f(data)?sync\(\d+<[^>]*x\.db-wal>/.test(call) && rest.includes('= 0')) {
      isLogDirty = false;
    } else if (/^f(data)?sync\(\d+<[^>]*x\.db>/.test(call) && rest.includes('= 0')) {
      isFileDirty = false;
      order.checkpoints++;
    } else if (/^(write|writev|sendto|sendmsg)\((?![12]<)\d+<(socket|TCP)/.test(call) && !resumed && sinceAnswer > 0) {
      if (isLogDirty) order.early++;
      else order.covered++;
      sinceAnswer = 0;
    }
  }
  return order;
}

interface Batches {
  readonly syncs: number;
  /** Texts of which the answer came before the sync of the log that covers them, or that no sync covers. */
  readonly early: string[];
}

/** Posts new texts from many clients at once, with slow syncs, and compares by the clock. */
async function traceBatches(main: string): Promise<Batches> {
  const answered = new Map<string, number>();
  const args = [
    ...['-ttt', '-T', '-s', '5000', '-e', 'trace=pwrite64,fsync,fdatasync'],
    ...['-e', `inject=fsync,fdatasync:delay_enter=${SYNC_MS * 1000}`],
  ];
  const lines = await trace(main, args, async (clients) => {
    const writers = clients.map(async (client, writer) => {
      for (let index = 0; index < WRITES / CLIENTS; index++) {
        const text = `text-${writer}-${index}-end`;
        await post(client, text);
        answered.set(text, Date.now());
      }
    });
    await Promise.all(writers);
  });
  const synced = new Map<string, number>();
  let [syncs, unsynced] = [0, new Set<string>()];
  for (const line of lines) {
    const [, seconds = '', rest = ''] = /^\d+\s+([\d.]+) (.*)$/.exec(line) ?? [];
    if (/^pwrite64\(\d+<[^>]*x\.db-wal>/.test(rest)) {
      for (const [text] of rest.matchAll(/text-\d+-\d+-end/g)) if (!synced.has(text)) unsynced.add(text);
      continue;
    }
    // Of a call that was interrupted by others' in the trace, this is the end.
    const [, file, taken] = /sync(?:\(\d+<([^>]*)>| resumed).*= 0.* <([\d.]+)>$/.exec(rest) ?? [];
    if (taken === undefined || (file !== undefined && !file.endsWith('-wal'))) continue;
    syncs++;
    const returned = (Number(seconds) + (file === undefined ? 0 : Number(taken))) * 1000;
    for (const text of unsynced) synced.set(text, returned);
    unsynced = new Set();
  }
  // Date.now() is rounded down.
  const isEarly = ([text, time]: [string, number]): boolean => time + 1 < (synced.get(text) ?? Infinity);
  return { syncs, early: [...answered].filter(isEarly).map(([text]) => text) };
}

test('the log is synced before each acknowledgement goes out, and around each checkpoint', async () => {
  const { early, covered, unsafe, checkpoints } = await traceOrder(MAIN);
  expect({ early, unsafe }).toEqual({ early: 0, unsafe: 0 });
  expect(covered).toBeGreaterThanOrEqual(WRITES);
  expect(checkpoints).toBeGreaterThan(2);
}, 120_000);

test('this very check fails a store that syncs only now and then (synchronous=NORMAL)', async () => {
  const main = spoil('connection.js', "['synchronous', 'FULL', 2]", "['synchronous', 'NORMAL', 1]");
  expect((await traceOrder(main)).early).toBeGreaterThan(WRITES / 2);
}, 120_000);

test('of many writes that share syncs, none is acknowledged before its own', async () => {
  const { early, syncs } = await traceBatches(MAIN);
  expect(early).toEqual([]);
  expect(syncs).toBeLessThan(WRITES / 2);
}, 120_000);

test('this very check fails a store that acknowledges a batch before it commits it', async () => {
  const from = 'const outcome = batchInsert(request);';
  const main = spoil(
    'writer.thread.js',
    from,
    'const outcome = new Map(); port.postMessage(outcome); batchInsert(request);',
  );
  expect((await traceBatches(main)).early.length).toBeGreaterThan(WRITES / 2);
}, 120_000);
