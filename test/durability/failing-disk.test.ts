import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Client, type Answer } from '../support/client.ts';
import { disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { spawnService, type ProcessOptions, type ServiceProcess } from '../support/process.ts';
import { createTestCertificate, settingsFor } from '../support/service.ts';
import { assertStrace, straceCommand } from '../support/strace.ts';
import { untilGone } from '../support/until-gone.ts';

/** FSYNC_FAULTS=50 for a campaign: the first sync of a thread fails, the second, ... the fiftieth. */
const CAMPAIGN = Number(process.env['FSYNC_FAULTS'] ?? 0);
const FAILING_SYNCS = CAMPAIGN > 0 ? Array.from({ length: CAMPAIGN }, (_, index) => index + 1) : [1, 3, 9, 22];

beforeAll(assertStrace);
afterEach(disposeLeftovers);

interface Place extends ProcessOptions {
  readonly cwd: string;
  readonly ca: string;
}

async function prepare(): Promise<Place> {
  const certificate = await createTestCertificate();
  return { cwd: temporaryFolder(), env: settingsFor(certificate), ca: certificate.ca };
}

/** With a database that is there already, so that what makes it is not what fails. */
async function prepareFile(): Promise<Place> {
  const place = await prepare();
  const first = spawnService(place);
  await first.url;
  first.child.kill('SIGTERM');
  await first.exited;
  return place;
}

/** Ten pages or so, so that the log is soon worth a checkpoint. */
const textOf = (name: string): string => `${name} `.padEnd(40_000, name);

const post = (client: Client, text: string): Promise<Answer> =>
  client.post('/messages', JSON.stringify({ message: text }));

/** Fails unless every acknowledged sha is there after a restart, in a file that SQLite finds whole. */
async function expectKept(place: Place, acknowledged: readonly string[]): Promise<void> {
  const service = spawnService(place);
  const client = new Client(await service.url, place.ca);
  const { digestList } = (await client.get('/messages')).json as { digestList: string[] };
  const known = new Set(digestList);
  expect(acknowledged.filter((sha) => !known.has(sha))).toEqual([]);
  expect(await post(client, 'after it')).toMatchObject({ status: 201 });
  client.close();
  service.child.kill('SIGTERM');
  expect(await service.exited).toBe(0);
  const db = new DatabaseSync(join(place.cwd, 'x.db'), { readOnly: true });
  expect(db.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
  db.close();
}

interface Seen {
  /** The sha of each text that was acknowledged. */
  readonly acknowledged: string[];
  /** What else was answered to writes, each once. */
  readonly refusals: Set<string>;
  /** What was answered to reads, each once. */
  readonly reads: Set<number>;
}

/** Eight writers and a reader, until the service is gone. */
async function useUntilGone(service: ServiceProcess, ca: string): Promise<Seen> {
  const seen: Seen = { acknowledged: [], refusals: new Set(), reads: new Set() };
  const url = await service.url;
  const clientOf = (): Client => new Client(url, ca);
  const first = clientOf();
  const { json } = await post(first, 'read me').catch(() => ({ json: {} }));
  const { digest = 'none' } = json as { digest?: string };
  const writers = Array.from({ length: 8 }, clientOf).map((client, writer) =>
    untilGone(async (index) => {
      const { status, json: body } = await post(client, textOf(`${writer}/${index}`));
      if (status === 201) seen.acknowledged.push((body as { digest: string }).digest);
      else seen.refusals.add(`${status} ${(body as { code: string }).code}`);
    }),
  );
  const reader = untilGone(async () => void seen.reads.add((await first.get(`/messages/${digest}`)).status));
  await Promise.all([...writers, reader]);
  return seen;
}

/** The database's syncs in a trace, each as its file and what it returned. */
const syncsOf = (traceFile: string): string[] =>
  [...readFileSync(traceFile, 'utf8').matchAll(/fsync\(\d+<[^>]*\/(x\.db[^>]*)>\) += (-?\d+)/g)].map(
    ([, file = '', result = '']) => `${file} ${result}`,
  );

test.each(FAILING_SYNCS)(
  'the sync number %i of a thread fails: 503, an end that is no success, nothing acknowledged is lost',
  async (when) => {
    const place = await prepareFile();
    const traceFile = join(place.cwd, 'trace');
    // SQLite pays no heed to the sync of a folder, which has a test of its own.
    const files = ['x.db', 'x.db-wal', 'x.db-journal'].flatMap((file) => ['-P', join(place.cwd, file)]);
    const faults = [...files, '-e', 'trace=fsync,fdatasync', '-e', `inject=fsync,fdatasync:error=EIO:when=${when}`];
    const service = spawnService({ ...place, under: straceCommand(...faults, '-o', traceFile) });
    const isStarted = await service.url.then(() => true, () => false); // prettier-ignore
    const seen = isStarted ? await useUntilGone(service, place.ca) : undefined;
    expect(await service.exited).toBe(1);
    expect(service.stderr()).toMatch(/^hashpost: .*(The store is unavailable|disk I\/O error)/);
    // No second attempt: the last sync of all is the one that failed.
    expect(syncsOf(traceFile).findIndex((sync) => sync.endsWith(' -1'))).toBe(syncsOf(traceFile).length - 1);
    if (seen) {
      expect([...seen.refusals]).toEqual(['503 STORE_UNAVAILABLE']);
      expect([...seen.reads]).toEqual([200]);
      console.info(`sync ${when}: ${syncsOf(traceFile).at(-1) ?? ''}, ${seen.acknowledged.length} acknowledged`);
    }
    await expectKept(place, seen?.acknowledged ?? []);
  },
  60_000,
);

test('a failed sync of the file, at a checkpoint that nobody waits for, ends the service too', async () => {
  const place = await prepareFile();
  const traceFile = join(place.cwd, 'trace');
  // Of the main thread only the first sync of the file would fail, and it makes none.
  const faults = ['-P', join(place.cwd, 'x.db'), '-e', 'trace=fsync', '-e', 'inject=fsync:error=EIO:when=2'];
  const service = spawnService({ ...place, under: straceCommand(...faults, '-o', traceFile) });
  const seen = await useUntilGone(service, place.ca);
  expect(await service.exited).toBe(1);
  expect(service.stderr()).toBe('hashpost: The store is unavailable.\n');
  expect(syncsOf(traceFile).slice(-2)).toEqual(['x.db 0', 'x.db -1']);
  expect([...seen.refusals]).toEqual(['503 STORE_UNAVAILABLE']);
  await expectKept(place, seen.acknowledged);
}, 60_000);

test('a folder that cannot be synced, so that a log in it may vanish: the start is refused', async () => {
  const place = await prepareFile();
  const faults = ['-P', place.cwd, '-e', 'trace=fsync', '-e', 'inject=fsync:error=EIO'];
  const service = spawnService({ ...place, under: straceCommand(...faults, '-o', '/dev/null') });
  expect(await service.exited).toBe(1);
  expect(service.stderr()).toBe('hashpost: the database x.db cannot be used: EIO: i/o error, fsync\n');
});

test.each([
  ['moved away', 'mv x.db moved.db', 'moved.db'],
  ['replaced', 'cp x.db new && mv new x.db', 'x.db'],
  ['without its log', 'rm x.db-wal', 'x.db'],
])('a file that is %s under the service: nothing more is acknowledged, and what was is whole', async (_, act, file) => {
  const place = await prepareFile();
  const service = spawnService(place);
  const client = new Client(await service.url, place.ca);
  const { json } = await post(client, 'before');
  execFileSync('sh', ['-c', act], { cwd: place.cwd });
  expect(await post(client, 'after')).toMatchObject({ status: 503, json: { code: 'STORE_UNAVAILABLE' } });
  expect(await service.exited).toBe(1);
  expect(service.stdout()).toContain('the database file was moved or replaced while it was in use');
  const db = new DatabaseSync(join(place.cwd, file), { readOnly: true });
  expect(db.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
  const kept = db.prepare('SELECT lower(hex(sha)) AS digest FROM message').all();
  db.close();
  expect(kept).toEqual(act.startsWith('cp') ? [] : [json]);
});

/** Posts until an answer has the status; resolves with the digests acknowledged on the way. */
async function postUntil(client: Client, status: number, prefix: string): Promise<string[]> {
  const acknowledged: string[] = [];
  for (let index = 0; index < 300; index++) {
    const answer = await post(client, textOf(`${prefix}/${index}`));
    if (answer.status === 201) acknowledged.push((answer.json as { digest: string }).digest);
    if (answer.status === status) return acknowledged;
    expect([201, 507]).toContain(answer.status);
  }
  throw new Error(`no ${status} in 300 answers`);
}

test('files that may not grow any more: writes are 507, reads go on, and writes too when there is room', async () => {
  const place = await prepare();
  const service = spawnService({ ...place, under: ['prlimit', '--fsize=1000000:unlimited'] });
  const client = new Client(await service.url, place.ca);
  const acknowledged = await postUntil(client, 507, 'before');
  expect(acknowledged.length).toBeGreaterThan(5);
  const refused = await Promise.all(Array.from({ length: 16 }, (_, index) => post(client, textOf(`none/${index}`))));
  expect(refused.map(({ json }) => (json as { code: string }).code)).toEqual(Array(16).fill('STORE_FULL'));
  for (const path of [`/messages/${acknowledged[0] ?? ''}`, '/messages', '/health/ready']) {
    expect((await client.get(path)).status).toBe(200);
  }
  execFileSync('prlimit', ['--pid', String(service.child.pid), '--fsize=unlimited']);
  const more = await Promise.all(Array.from({ length: 16 }, (_, index) => post(client, textOf(`more/${index}`))));
  expect(new Set(more.map(({ status }) => status))).toEqual(new Set([201]));
  acknowledged.push(...more.map(({ json }) => (json as { digest: string }).digest));
  client.close();
  service.child.kill('SIGTERM');
  expect(await service.exited).toBe(0);
  await expectKept(place, acknowledged);
}, 60_000);

test('a disk that is almost full: alive, reading and writing, but not ready until there is room', async () => {
  const place = await prepare();
  // A disk of its own, which nobody else sees.
  const under = [
    'unshare',
    '-rm',
    'sh',
    '-c',
    'mkdir small && mount -t tmpfs -o size=100m none small && exec "$0" "$@"',
  ];
  const env = { ...place.env, DATABASE_URL: 'file:small/x.db' };
  const service = spawnService({ ...place, env, under });
  const client = new Client(await service.url, place.ca);
  const statuses = async (): Promise<number[]> => {
    const answers = ['/health/ready', '/health', '/messages'].map((path) => client.get(path));
    return [...(await Promise.all(answers)), await post(client, 'x')].map(({ status }) => status);
  };
  expect(await statuses()).toEqual([200, 200, 200, 201]);
  const ballast = `/proc/${service.child.pid}/root${place.cwd}/small/ballast`;
  writeFileSync(ballast, Buffer.alloc(50_000_000));
  expect(await statuses()).toEqual([503, 200, 200, 201]);
  expect(await client.get('/health/ready')).toMatchObject({
    json: { code: 'NOT_READY', error: 'The disk of the store is almost full.' },
  });
  rmSync(ballast);
  expect(await statuses()).toEqual([200, 200, 200, 201]);
});

test('a disk that is full for a while: writes are 507, then they are stored again, by the same process', async () => {
  const place = await prepare();
  const faults = ['-P', join(place.cwd, 'x.db-wal'), '-e', 'trace=pwrite64', '-e', 'inject=pwrite64:error=ENOSPC:when=300..320']; // prettier-ignore
  const service = spawnService({ ...place, under: straceCommand(...faults, '-o', '/dev/null') });
  const client = new Client(await service.url, place.ca);
  const acknowledged = await postUntil(client, 507, 'before');
  acknowledged.push(...(await postUntil(client, 201, 'after')));
  client.close();
  const { pid } = JSON.parse(service.stdout().split('\n')[0] ?? '') as { pid: number };
  process.kill(pid, 'SIGTERM');
  expect(await service.exited).toBe(0);
  await expectKept(place, acknowledged);
}, 60_000);
