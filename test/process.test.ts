import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from './support/client.ts';
import { expectWithin } from './support/expect-within.ts';
import { disposeLeftovers, temporaryFolder } from './support/leftovers.ts';
import { spawnService, type ProcessOptions, type ServiceProcess } from './support/process.ts';
import { createTestCertificate, settingsFor } from './support/service.ts';

afterEach(disposeLeftovers);

interface Running extends ServiceProcess {
  readonly client: Client;
  readonly folder: string;
}

async function start(env: Record<string, string> = {}, options: Partial<ProcessOptions> = {}): Promise<Running> {
  const certificate = await createTestCertificate();
  const { ca } = certificate;
  const folder = temporaryFolder();
  const service = spawnService({
    env: settingsFor(certificate, env),
    cwd: folder,
    ...options,
  });
  return { ...service, folder, client: new Client(await service.url, ca) };
}

test('a first start needs nothing: it makes certificate and database, says how to be reached, and is', async () => {
  const folder = temporaryFolder();
  const service = spawnService({ env: { PORT: '0', HOST: '127.0.0.1' }, cwd: folder });
  const url = await service.url;
  const line = JSON.parse(service.stdout()) as { certificate: unknown; try: string };
  expect(line.certificate).toEqual({ file: 'ssl/server.crt', names: ['localhost', '127.0.0.1', '::1'], daysLeft: 364 });
  expect(line.try).toBe(`curl --cacert ${join(folder, 'ssl/server.crt')} ${url}/messages`);
  const client = new Client(url, readFileSync(join(folder, 'ssl/server.crt'), 'utf8'));
  expect(await client.post('/messages', '{"message":"foo"}')).toMatchObject({ status: 201 });
  expect(existsSync(join(folder, 'data/messages.db'))).toBe(true);
  client.close();
});

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s: nothing new is taken, what runs is finished, the end is 0 and soon',
  async (signal) => {
    const { child, client, exited, stderr, folder } = await start();
    const writes = Array.from({ length: 200 }, (_, index) => client.post('/messages', `{"message":"${index}"}`));
    await Promise.race(writes);
    child.kill(signal);
    const begun = performance.now();
    const settled = await Promise.allSettled(writes);
    expect(await exited).toBe(0);
    expect(performance.now() - begun).toBeLessThan(10_000);
    expect(stderr()).toBe('');
    // Closed in order: the log has been moved into the file.
    expect(existsSync(join(folder, 'x.db-wal'))).toBe(false);
    for (const outcome of settled) {
      if (outcome.status === 'fulfilled') expect(outcome.value.status).toBe(201);
      else
        expect(outcome.reason).toMatchObject({
          code: expect.stringMatching(/ECONNRESET|ECONNREFUSED|EPIPE/) as string,
        });
    }
  },
);

test('a connection that only sits there does not delay the end', async () => {
  const { child, client, exited, url } = await start();
  await client.get('/health');
  // One that is idle after a request, one that never says a word.
  const { hostname, port } = new URL(await url);
  const silent = connect(Number(port), hostname);
  await once(silent, 'connect');
  const begun = performance.now();
  child.kill('SIGTERM');
  child.kill('SIGTERM');
  expect(await exited).toBe(0);
  expect(performance.now() - begun).toBeLessThan(2_000);
});

test('several first starts at once agree on one certificate', async () => {
  const folder = temporaryFolder();
  const services = Array.from({ length: 4 }, () =>
    spawnService({ env: { PORT: '0', HOST: '127.0.0.1' }, cwd: folder }),
  );
  const urls = await Promise.all(services.map(({ url }) => url));
  const ca = readFileSync(join(folder, 'ssl/server.crt'), 'utf8');
  for (const url of urls) {
    const client = new Client(url, ca);
    expect((await client.get('/health')).status).toBe(200);
    client.close();
  }
  expect(readdirSync(join(folder, 'ssl')).sort()).toEqual(['server.crt', 'server.key']);
}, 20_000);

test('a connection that never says a word, or stops in the middle of the handshake, is closed', async () => {
  const { client } = await start();
  const { hostname, port } = new URL(client.url);
  const sockets = [undefined, Buffer.from([0x16, 3, 1, 2, 0, 1]), Buffer.from('GET / HTTP/1.1\r\n\r\n')].map(
    (bytes) => {
      const socket = connect(Number(port), hostname);
      if (bytes) socket.write(bytes);
      return once(
        socket.resume().on('error', () => undefined),
        'close',
      );
    },
  );
  await Promise.all(sockets);
}, 20_000);

test('SIGTERM during the start ends it cleanly', async () => {
  const certificate = await createTestCertificate();
  const service = spawnService({
    env: settingsFor(certificate, { DATABASE_URL: 'memory:' }),
  });
  await sleep(150);
  service.child.kill('SIGTERM');
  expect([0, 'SIGTERM']).toContain(await service.exited);
  expect(service.stderr()).toBe('');
});

test('SIGHUP during the start, as of a renewal that has just restarted it, does not end it', async () => {
  const certificate = await createTestCertificate();
  const service = spawnService({ env: settingsFor(certificate, { DATABASE_URL: 'memory:' }) });
  // Before its own first lines, Node's way with the signal is that of the system.
  const isCaught = (): boolean => {
    const [, mask = ''] = /^SigCgt:\t(\w+)$/m.exec(readFileSync(`/proc/${service.child.pid}/status`, 'utf8')) ?? [];
    return (BigInt(`0x${mask}`) & 1n) === 1n;
  };
  await expectWithin(20_000, isCaught);
  for (let sent = 0; sent < 100; sent++) {
    service.child.kill('SIGHUP');
    await sleep(5);
  }
  await expect(service.url).resolves.toMatch(/^https:/);
});

test('wrong settings: all faults on stderr, 78, and nothing is made or opened', async () => {
  const folder = temporaryFolder();
  const { exited, stderr, stdout } = spawnService({
    env: { PORT: 'x', LOG_LEVEL: 'loud', DATABASE_URI: 'file:y' },
    cwd: folder,
  });
  expect(await exited).toBe(78);
  expect(stderr()).toBe(
    [
      'hashpost: the settings are not valid:',
      '  PORT must be a whole number from 0 to 65535',
      '  LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent',
      '  DATABASE_URI is not a setting; did you mean DATABASE_URL?',
      '',
    ].join('\n'),
  );
  expect(stdout()).toBe('');
  expect(existsSync(join(folder, 'data')) || existsSync(join(folder, 'ssl'))).toBe(false);
});

const unusable: [string, (folder: string) => Record<string, string>, RegExp][] = [
  [
    'a database that is none',
    (folder) => (writeFileSync(join(folder, 'x.db'), 'no database'.repeat(999)), { DATABASE_URL: 'file:x.db' }),
    /^hashpost: the database x\.db cannot be used: file is not a database\n$/,
  ],
  [
    'a database in a folder that is a file',
    (folder) => (writeFileSync(join(folder, 'f'), ''), { DATABASE_URL: 'file:f/x.db' }),
    /^hashpost: the database f\/x\.db cannot be used: .*\n$/,
  ],
  [
    'a certificate that is missing',
    () => ({ TLS_CERT_FILE: 'no.crt', TLS_KEY_FILE: 'no.key' }),
    /^hashpost: TLS_CERT_FILE \(no\.crt\) cannot be read: .*\n$/,
  ],
  [
    'an address of another machine',
    () => ({ HOST: '192.0.2.1' }),
    /^hashpost: HOST 192\.0\.2\.1 is no address of this machine: set HOST, .*\n$/,
  ],
];

test.each(unusable)('%s: one clear line, and not 0', async (_, prepare, line) => {
  for (const WORKERS of ['1', '2']) {
    const folder = temporaryFolder();
    const certificate = await createTestCertificate();
    const env = settingsFor(certificate, { WORKERS, ...prepare(folder) });
    const { exited, stderr } = spawnService({ env, cwd: folder });
    expect(await exited).toBe(1);
    expect(stderr()).toMatch(line);
  }
});

test('a port that is taken: one clear line that names it', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  const certificate = await createTestCertificate();
  const env = settingsFor(certificate, { PORT: String(port), DATABASE_URL: 'memory:' });
  const { exited, stderr } = spawnService({ env });
  expect(await exited).toBe(1);
  expect(stderr()).toBe(`hashpost: PORT ${port} is in use (HOST is 127.0.0.1); stop what listens there, or set PORT\n`);
  other.close();
});

test('--help lists the settings; other arguments are refused', async () => {
  const help = spawnService({ env: {}, args: ['--help'] });
  expect(await help.exited).toBe(0);
  expect(help.stdout()).toContain('MAX_MESSAGE_BYTES=1048576');
  const wrong = spawnService({ env: {}, args: ['--port', '1'] });
  expect(await wrong.exited).toBe(64);
  expect(wrong.stderr()).toBe('hashpost: unknown argument --port; settings are environment variables, see --help\n');
});
