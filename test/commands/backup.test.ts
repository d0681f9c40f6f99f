import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createMessage } from '../../src/messages/message.ts';
import { Client } from '../support/client.ts';
import { runCommand } from '../support/command.ts';
import { disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { preload, spawnService } from '../support/process.ts';
import { createTestCertificate, settingsFor, type TestCertificate } from '../support/service.ts';
import { damage, digestOf, readStored, someMessages, store } from '../support/stored.ts';
import { WriteLoad } from '../support/write-load.ts';

/** BACKUPS=100 for a campaign. */
const BACKUPS = Number(process.env['BACKUPS'] ?? 3);
const WRITERS = 16;

afterEach(disposeLeftovers);

const env = { DATABASE_URL: 'file:x.db' };

async function startIn(cwd: string, certificate: TestCertificate) {
  const service = spawnService({ env: settingsFor(certificate), cwd });
  const url = await service.url;
  return { ...service, connect: () => new Client(url, certificate.ca) };
}

/** Read by SQLite alone, as one plain file. */
function shasIn(path: string): Set<string> {
  const db = new DatabaseSync(path, { readOnly: true });
  expect(db.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
  const rows = db.prepare('SELECT lower(hex(sha)) AS sha FROM message').all();
  db.close();
  return new Set(rows.map(({ sha }) => String(sha)));
}

test(
  `${BACKUPS} backups under load through both doors, then the service is killed and the last one restored`,
  async () => {
    const cwd = temporaryFolder();
    const certificate = await createTestCertificate();
    const service = await startIn(cwd, certificate);
    const writes = new WriteLoad();
    const ended = Promise.all(Array.from({ length: WRITERS }, () => writes.write(service.connect())));
    let acknowledged: string[] = [];
    let longestLog = 0;
    for (let index = 0; index < BACKUPS; index++) {
      acknowledged = [...writes.acknowledged.keys()].map((text) => createMessage(text, 10_000, 0).sha);
      const { code, stdout, stderr } = await runCommand(['backup', `${index}.db`], { env, cwd });
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/^messages: \d+\nbytes: \d+\ndamaged: 0\ndigest: [0-9a-f]{64}\n$/);
      const kept = shasIn(join(cwd, `${index}.db`));
      expect(acknowledged.filter((sha) => !kept.has(sha))).toEqual([]);
      longestLog = Math.max(longestLog, statSync(join(cwd, 'x.db-wal')).size);
    }
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(writes.acknowledged.size).toBeGreaterThan(acknowledged.length);
    // Beside the database and its log there are the backups, each of them one private file.
    const files = readdirSync(cwd).filter((file) => !file.startsWith('x.db'));
    expect(files).toEqual(Array.from({ length: BACKUPS }, (_, index) => `${index}.db`).sort());
    for (const file of files) expect(statSync(join(cwd, file)).mode & 0o777).toBe(0o600);

    service.child.kill('SIGKILL');
    await Promise.all([service.exited, ended]);
    mkdirSync(join(cwd, 'old'));
    for (const file of readdirSync(cwd)) {
      if (file.startsWith('x.db')) renameSync(join(cwd, file), join(cwd, 'old', file));
    }
    renameSync(join(cwd, `${BACKUPS - 1}.db`), join(cwd, 'x.db'));
    const restored = await startIn(cwd, certificate);
    const client = restored.connect();
    for (const sha of acknowledged.slice(-300)) expect((await client.get(`/messages/${sha}`)).status).toBe(200);
    const { digestList } = (await client.get('/messages')).json as { digestList: string[] };
    const listed = new Set(digestList);
    expect(acknowledged.filter((sha) => !listed.has(sha))).toEqual([]);
    expect((await client.post('/messages', '{"message":"after the restore"}')).status).toBe(201);
    client.close();
    expect(statSync(join(cwd, 'x.db')).mode & 0o777).toBe(0o600);
    restored.child.kill('SIGTERM');
    expect(await restored.exited).toBe(0);
    console.info(
      `${acknowledged.length} acknowledged before the last backup, 0 missing; log at most ${longestLog} bytes`,
    );
  },
  60_000 + BACKUPS * 10_000,
);

test('a copy of a database that nobody has open: equal, and the database is as before', async () => {
  const cwd = temporaryFolder();
  const messages = someMessages(300);
  await store(`file:${join(cwd, 'x.db')}`, messages);
  const before = readFileSync(join(cwd, 'x.db'));
  const { code, stdout } = await runCommand(['backup', 'y.db'], { env, cwd });
  expect([code, stdout.split('\n').at(-2)]).toEqual([0, `digest: ${digestOf(messages)}`]);
  expect(readdirSync(cwd)).toEqual(['x.db', 'y.db']);
  expect(readFileSync(join(cwd, 'x.db')).equals(before)).toBe(true);
  expect(await readStored(`file:${join(cwd, 'y.db')}`)).toEqual(messages);
});

const refusals: [string, (cwd: string) => void, string][] = [
  ['a file that exists', (cwd) => writeFileSync(join(cwd, 'y.db'), 'mine'), 'y.db exists already'],
  [
    'a copy under way',
    (cwd) => writeFileSync(join(cwd, 'y.db.partial'), 'mine'),
    'y.db.partial exists: a backup is being made, or one was killed and it can be removed',
  ],
];

test.each(refusals)('%s is refused and left as it is', async (_, occupy, line) => {
  const cwd = temporaryFolder();
  await store(`file:${join(cwd, 'x.db')}`, someMessages(3));
  occupy(cwd);
  const before = readdirSync(cwd);
  expect(await runCommand(['backup', 'y.db'], { env, cwd })).toEqual({
    code: 69,
    stdout: '',
    stderr: `hashpost: ${line}\n`,
  });
  expect(readdirSync(cwd)).toEqual(before);
  for (const file of before.filter((name) => name !== 'x.db')) {
    expect(readFileSync(join(cwd, file), 'utf8')).toBe('mine');
  }
});

test('without a database there is an error, and no file', async () => {
  const cwd = temporaryFolder();
  const missing = await runCommand(['backup', 'y.db'], { env, cwd });
  expect([missing.code, missing.stderr]).toEqual([
    69,
    'hashpost: the database x.db cannot be used: there is no such file\n',
  ]);
  const memory = await runCommand(['backup', 'y.db'], { env: { DATABASE_URL: 'memory:' }, cwd });
  expect(memory.code).toBe(69);
  expect(memory.stderr).toContain('no SQLite file; for PostgreSQL, use pg_dump');
  expect(readdirSync(cwd)).toEqual([]);
});

test('what is damaged is told and does not become a backup', async () => {
  const cwd = temporaryFolder();
  const messages = someMessages(50);
  await store(`file:${join(cwd, 'x.db')}`, messages);
  damage(join(cwd, 'x.db'), 34);
  const { code, stdout } = await runCommand(['backup', 'y.db'], { env, cwd });
  expect(code).toBe(65);
  expect(stdout).toContain(`damaged: message 34, ${String(messages[33]?.sha)}, `);
  expect(readdirSync(cwd)).toEqual(['x.db']);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s ends it and leaves nothing', async (signal, exitCode) => {
  const cwd = temporaryFolder();
  const texts = Array.from({ length: 40 }, (_, index) => createMessage(`${index}`.repeat(500_000), 1_000_000, 1));
  await store(`file:${join(cwd, 'x.db')}`, texts);
  const signalWhenBegun = `import { existsSync } from 'node:fs';
    const timer = setInterval(() => {
      if (existsSync('y.db.partial')) clearInterval(timer), process.kill(process.pid, '${signal}');
    }, 1).unref();`;
  const { code, stderr } = await runCommand(['backup', 'y.db'], { env: { ...env, ...preload(signalWhenBegun) }, cwd });
  expect([code, stderr]).toEqual([exitCode, `hashpost: stopped by ${signal}\n`]);
  expect(readdirSync(cwd).filter((name) => name.startsWith('y'))).toEqual([]);
  expect(existsSync(join(cwd, 'x.db-wal'))).toBe(false);
});
