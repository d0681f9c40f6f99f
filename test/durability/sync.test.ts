import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '../support/client.ts';
import { disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { ROOT, spawnService } from '../support/process.ts';
import { createTestCertificate, settingsFor } from '../support/service.ts';

const WRITES = 200;

beforeAll(() => {
  try {
    execFileSync('strace', ['-V'], { stdio: 'ignore' });
  } catch {
    throw new Error('strace is missing: apt-get install strace');
  }
});
afterEach(disposeLeftovers);

interface Trace {
  /** Answers that went out while the log held a write that no sync had yet covered. */
  readonly early: number;
  /** Answers after which all writes were synced. */
  readonly covered: number;
}

/** Posts new texts one by one to a service under strace, and reads from its system calls what preceded each answer. */
async function traceWrites(main: string): Promise<Trace> {
  const certificate = await createTestCertificate();
  const { ca } = certificate;
  const cwd = temporaryFolder();
  const traceFile = join(cwd, 'trace');
  const env = settingsFor(certificate);
  const calls = 'pwrite64,fsync,fdatasync,write,writev,sendto,sendmsg';
  const service = spawnService({
    env,
    cwd,
    main,
    under: ['strace', '-f', '-y', '-s', '0', '-e', `trace=${calls}`, '-o', traceFile],
  });
  const client = new Client(await service.url, ca);
  for (let index = 0; index < WRITES; index++) {
    const { status } = await client.post('/messages', JSON.stringify({ message: `text ${index}` }));
    expect(status).toBe(201);
  }
  client.close();
  // strace passes no signal on to what it traces; the service's own id is in its start-up line.
  process.kill((JSON.parse(service.stdout().split('\n')[0] ?? '') as { pid: number }).pid, 'SIGTERM');
  await service.exited;
  return readTrace(readFileSync(traceFile, 'utf8'));
}

function readTrace(trace: string): Trace {
  let [early, covered, isDirty, sinceAnswer] = [0, 0, false, 0];
  const unfinished = new Map<string, string>();
  for (const line of trace.split('\n')) {
    const [, thread = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const resumed = rest.startsWith('<...');
    if (rest.endsWith('<unfinished ...>')) unfinished.set(thread, rest);
    const call = resumed ? (unfinished.get(thread) ?? '') : rest;
    // A write counts from when it begins, a sync only when it has returned 0. Descriptors 1 and 2 are the log's.
    if (/^pwrite64\(\d+<[^>]*-wal>/.test(call) && !resumed) {
      isDirty = true;
      sinceAnswer++;
    } else if (/^f(data)?sync\(\d+<[^>]*-wal>/.test(call) && rest.endsWith('= 0')) {
      isDirty = false;
    } else if (/^(write|writev|sendto|sendmsg)\((?![12]<)\d+<(socket|TCP)/.test(call) && !resumed && sinceAnswer > 0) {
      if (isDirty) early++;
      else covered++;
      sinceAnswer = 0;
    }
  }
  return { early, covered };
}

test('the log is synced before each acknowledgement goes out', async () => {
  const { early, covered } = await traceWrites(join(ROOT, 'dist/main.js'));
  expect(early).toBe(0);
  expect(covered).toBeGreaterThanOrEqual(WRITES);
}, 120_000);

test('this very check fails a store that syncs only now and then (synchronous=NORMAL)', async () => {
  const folder = temporaryFolder();
  cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const file = join(folder, 'dist/stores/sqlite/connection.js');
  const source = readFileSync(file, 'utf8');
  const weakened = source.replace("['synchronous', 'FULL', 2]", "['synchronous', 'NORMAL', 1]");
  expect(weakened).not.toBe(source);
  writeFileSync(file, weakened);
  const { early } = await traceWrites(join(folder, 'dist/main.js'));
  expect(early).toBeGreaterThan(WRITES / 2);
}, 120_000);
