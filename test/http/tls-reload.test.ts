import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp } from '../../src/app/app.ts';
import { parseConfig } from '../../src/config.ts';
import { createLog } from '../../src/observability/logger.ts';
import { expectWithin } from '../support/expect-within.ts';
import { dispose, disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { spawnService, type ServiceProcess } from '../support/process.ts';
import { createTestCertificate, settingsFor, type TestCertificate } from '../support/service.ts';

/** Of the certificate, under load; RELOADS=20 for a campaign. */
const RELOADS = Number(process.env['RELOADS'] ?? 3);
const CLIENTS = 4;
const DAY_MS = 86_400_000;

/** Within this a changed file is noticed, on a busy machine too. */
const LIMIT_MS = 15_000;

const cwd = process.cwd();
afterEach(async () => {
  process.chdir(cwd);
  await disposeLeftovers();
});

/** A running service whose certificate the test replaces. */
class Site {
  readonly service: ServiceProcess;
  readonly #host: string;
  readonly #port: number;
  readonly files: TestCertificate;
  /** Of each certificate that the service may show. */
  readonly authorities: string[];

  private constructor(service: ServiceProcess, url: string, files: TestCertificate) {
    this.service = service;
    this.files = files;
    this.authorities = [files.ca];
    const { hostname, port } = new URL(url);
    [this.#host, this.#port] = [hostname, Number(port)];
  }

  static async start(workers: number, files?: TestCertificate): Promise<Site> {
    const pair = files ?? (await createTestCertificate());
    const service = spawnService({ env: settingsFor(pair, { WORKERS: String(workers) }), cwd: temporaryFolder() });
    return new Site(service, await service.url, pair);
  }

  /** A new connection. @throws Error when the handshake fails, or shows a certificate that was never in the files. */
  async connect(session?: Buffer): Promise<TLSSocket> {
    const options = { host: this.#host, port: this.#port, ca: this.authorities };
    const socket = connect({ ...options, ...(session && { session }) });
    await once(socket, 'secureConnect');
    return socket;
  }

  /** Sends one request on a connection. @returns the status line. */
  async ask(socket: TLSSocket): Promise<string> {
    socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    return chunk.toString('latin1').split('\r\n', 1)[0] as string;
  }

  /** The certificate that a new connection sees. */
  async shown(): Promise<string> {
    const socket = await this.connect();
    const { raw } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprintOf(raw);
  }

  async waitUntilShown(pem: string): Promise<void> {
    const expected = fingerprintOf(pem);
    await expectWithin(LIMIT_MS, async () => (await this.shown()) === expected);
  }

  replaceFiles({ certFile, keyFile }: TestCertificate): void {
    this.authorities.push(readFileSync(certFile, 'utf8'));
    replaceFile(this.files.keyFile, readFileSync(keyFile, 'utf8'));
    replaceFile(this.files.certFile, readFileSync(certFile, 'utf8'));
  }

  /** How many log lines say this. */
  count(message: string): number {
    return this.service.stdout().split(message).length - 1;
  }
}

function replaceFile(file: string, content: string): void {
  writeFileSync(`${file}.new`, content, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function fingerprintOf(certificate: string | Buffer): string {
  return new X509Certificate(certificate).fingerprint256;
}

/** Connects and asks again and again; each handshake is a full one. @returns how many connections there were. */
async function visitUntil(stop: AbortSignal, site: Site): Promise<number> {
  for (let visits = 0; ; visits++) {
    if (stop.aborted) return visits;
    const socket = await site.connect();
    expect(await site.ask(socket)).toBe('HTTP/1.1 200 OK');
    socket.destroy();
  }
}

test.each([
  ['1 process, by its files', 1, false],
  ['2 workers, by SIGHUP', 2, true],
])(
  `${RELOADS} new certificates, %s: no handshake fails, connections stay, sessions are resumed`,
  async (_, workers, bySignal) => {
    const site = await Site.start(workers);
    const kept = await site.connect();
    const session = once(kept, 'session') as Promise<[Buffer]>;
    expect(await site.ask(kept)).toBe('HTTP/1.1 200 OK');
    const stop = new AbortController();
    const visitors = Array.from({ length: CLIENTS }, () => visitUntil(stop.signal, site));
    for (let reload = 1; reload <= RELOADS; reload++) {
      const next = await createTestCertificate();
      site.replaceFiles(next);
      if (bySignal) site.service.child.kill('SIGHUP');
      await site.waitUntilShown(next.ca);
      expect(await site.ask(kept)).toBe('HTTP/1.1 200 OK');
      await expectWithin(LIMIT_MS, () => site.count('the certificate has been replaced') === reload);
    }
    stop.abort();
    const visits = (await Promise.all(visitors)).reduce((sum, count) => sum + count);
    expect(visits).toBeGreaterThan(RELOADS * CLIENTS);
    await sleep(300);
    const resumed = await site.connect((await session)[0]);
    expect(resumed.isSessionReused()).toBe(true);
    expect(site.count('the certificate has been replaced')).toBe(RELOADS);
    expect(site.service.stdout()).not.toMatch(/"level":(50|60)/);
    for (const socket of [kept, resumed]) socket.destroy();
  },
  60_000 + RELOADS * 10_000,
);

test('what cannot be used changes nothing and is told once, by setting and file; what can be is then taken', async () => {
  const site = await Site.start(1);
  const { certFile } = site.files;
  const next = await createTestCertificate();
  // The new certificate with the old key, as where only half of a pair has been copied.
  replaceFile(certFile, next.ca);
  const complaint = `the certificate stays as it is, its files cannot be used: TLS_KEY_FILE (${site.files.keyFile}) is not the key of TLS_CERT_FILE (${certFile})`;
  await expectWithin(LIMIT_MS, () => site.count(complaint) === 1);
  await sleep(2500);
  expect(site.count('cannot be used')).toBe(1);
  expect(await site.shown()).toBe(fingerprintOf(site.files.ca));
  site.replaceFiles(next);
  await site.waitUntilShown(next.ca);
  expect(site.count('cannot be used')).toBe(1);
});

test.each<[string, string, (site: Site) => unknown]>([
  ['a pipe', 'it is no file', ({ files }) => execFileSync('mkfifo', [files.certFile])],
  ['a folder', 'it is no file', ({ files }) => mkdirSync(files.certFile)],
  ['one that has expired', 'has expired', async (site) => site.replaceFiles(await createTestCertificate(0))],
])('%s in the place of the certificate changes nothing, and holds nothing up', async (_, complaint, put) => {
  const site = await Site.start(1);
  unlinkSync(site.files.certFile);
  await put(site);
  await expectWithin(LIMIT_MS, () => site.count(complaint) === 1);
  expect(await site.shown()).toBe(fingerprintOf(site.files.ca));
  site.service.child.kill('SIGTERM');
  expect(await site.service.exited).toBe(0);
});

test('a worker that is replaced while the files cannot be used has the certificate that is shown', async () => {
  const site = await Site.start(2);
  writeFileSync(site.files.certFile, 'junk');
  site.service.child.kill('SIGHUP');
  await expectWithin(LIMIT_MS, () => site.count('is not a PEM certificate') === 1);
  const pid = String(site.service.child.pid);
  const [victim] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  process.kill(victim as number, 'SIGKILL');
  const children = (): string => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  await expectWithin(
    LIMIT_MS,
    () => !children().split(' ').includes(String(victim)) && children().split(' ').length > 2,
  );
  await sleep(1500);
  expect(site.count('a worker died')).toBe(1);
  for (let visit = 0; visit < 20; visit++) expect(await site.shown()).toBe(fingerprintOf(site.files.ca));
});

test('a folder that is swapped by a symbolic link, as Kubernetes does, is noticed', async () => {
  const folder = temporaryFolder();
  async function addVersion(name: string): Promise<string> {
    const { certFile, keyFile, ca } = await createTestCertificate();
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'tls.crt'), readFileSync(certFile));
    writeFileSync(join(folder, name, 'tls.key'), readFileSync(keyFile), { mode: 0o600 });
    symlinkSync(name, join(folder, 'data.new'));
    renameSync(join(folder, 'data.new'), join(folder, 'data'));
    return ca;
  }
  const ca = await addVersion('first');
  for (const file of ['tls.crt', 'tls.key']) symlinkSync(join('data', file), join(folder, file));
  const site = await Site.start(1, { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key'), ca });
  const next = await addVersion('second');
  site.authorities.push(next);
  await site.waitUntilShown(next);
  expect(site.count('cannot be used')).toBe(0);
});

test('a key that others can read is warned of, at the start and after a change', async () => {
  const files = await createTestCertificate();
  chmodSync(files.keyFile, 0o640);
  const site = await Site.start(1, files);
  const warning = 'TLS_KEY_FILE can be read by others than its owner';
  await expectWithin(LIMIT_MS, () => site.count(warning) === 1);
  expect(site.service.stdout()).toContain('"mode":"640"');
  const next = await createTestCertificate();
  site.replaceFiles(next);
  await site.waitUntilShown(next.ca);
  await sleep(300);
  expect(site.count(warning)).toBe(1);
});

test('the development certificate is renewed while the service runs, and shown by its greeting from then on', async () => {
  process.chdir(temporaryFolder());
  let [time, log] = [Date.now(), ''];
  const collected = createLog('info', { write: (line: string) => void (log += line) });
  const config = parseConfig({ PORT: '0', HOST: '127.0.0.1', DATABASE_URL: 'memory:' });
  const app = createApp(config, { log: collected, now: () => time });
  await app.start();
  dispose(() => app.stop());
  const old = readFileSync('ssl/server.crt', 'utf8');
  time += 336 * DAY_MS;
  await expectWithin(LIMIT_MS, () => log.includes('the certificate has been replaced'));
  const renewed = readFileSync('ssl/server.crt', 'utf8');
  expect(renewed).not.toBe(old);
  expect(new X509Certificate(renewed).validToDate.getTime()).toBeGreaterThan(time + 360 * DAY_MS);
  const { hostname: host, port } = new URL(app.url);
  const socket = connect({ host, port: Number(port), rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  expect(fingerprintOf(socket.getPeerCertificate().raw)).toBe(fingerprintOf(renewed));
  socket.destroy();
});

test('a service whose terminal is closed ends', async () => {
  const files = await createTestCertificate();
  // script gives the service a terminal, until it ends itself.
  const under = ['sh', '-c', 'exec script -qfec "exec $0 $1" /dev/null'];
  const service = spawnService({ env: settingsFor(files), cwd: temporaryFolder(), under });
  await service.url;
  service.child.kill('SIGKILL');
  const pid = Number(/"pid":(\d+)/.exec(service.stdout())?.[1]);
  await expectWithin(LIMIT_MS, () => !existsSync(`/proc/${pid}`));
});
