import { spawn } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type SecureVersion } from 'node:tls';
import { createClientAddressOf } from '../../src/http/client-address.ts';
import { expectWithin } from '../support/expect-within.ts';
import { Client } from '../support/client.ts';
import { dispose, disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { startInstance, startNginx, type Nginx } from '../support/nginx.ts';
import { ROOT, spawnService } from '../support/process.ts';
import { sendRaw } from '../support/raw.ts';
import { createTestCertificate, settingsFor, startService } from '../support/service.ts';

afterEach(disposeLeftovers);

/** IDLE_REQUESTS=10000 for a campaign. */
const IDLE_REQUESTS = Number(process.env['IDLE_REQUESTS'] ?? 100);

/** Beside a running nginx. */
function watchCertificates(args: readonly string[]): void {
  const script = join(ROOT, 'deploy/nginx/reload-on-change.sh');
  const watcher = spawn('sh', [script, ...args], { detached: true, stdio: 'ignore' });
  dispose(() => process.kill(-Number(watcher.pid)));
}

/** A write, on a connection of its own: nginx ends those that it has when it is told to reload. */
async function postOnce({ url, ca }: Nginx): Promise<number> {
  const client = new Client(url, ca);
  try {
    return (await client.post('/messages', '{"message":"x"}')).status;
  } finally {
    client.close();
  }
}

const conf = readFileSync(join(ROOT, 'deploy/nginx/nginx.conf'), 'utf8');
const listener = readFileSync(join(ROOT, 'src/http/listener.ts'), 'utf8');

test('an instance that trusts nginx knows its client, whatever this says of itself: 1,000 values', async () => {
  const [trusting, careful] = [createClientAddressOf(['127.0.0.1']), createClientAddressOf([])];
  const { url, ca } = await startInstance((req, res) => {
    res.end(JSON.stringify([req.headers['x-forwarded-for'], trusting(req), careful(req)]));
  });
  const nginx = await startNginx({ instances: [url], ca });
  const seen = new Set<string>();
  for (let index = 0; index < 1000; index++) {
    const spoofed = `203.0.${index >> 8}.${index & 255}`;
    const answer = await nginx.client.request({
      path: '/',
      headers: {
        'x-forwarded-for': index % 2 ? spoofed : [spoofed, `${spoofed}, 127.0.0.1`],
        'x-real-ip': spoofed,
        forwarded: `for=${spoofed}`,
      },
    });
    seen.add(answer.text);
  }
  expect(seen).toEqual(new Set([JSON.stringify(['127.0.0.1', '127.0.0.1', '127.0.0.1'])]));
});

test('an instance that is not vouched for, or has another name, is sent nothing', async () => {
  let requests = 0;
  const { url, ca } = await startInstance((_req, res) => {
    requests++;
    res.end();
  });
  const stranger = await startNginx({ instances: [url], ca: (await createTestCertificate()).ca });
  const otherName = await startNginx({
    instances: [url],
    ca,
    changes: [['proxy_ssl_name localhost;', 'proxy_ssl_name example.com;']],
  });
  for (const nginx of [stranger, otherName]) {
    expect(await nginx.client.get('/messages')).toMatchObject({ status: 503, json: { code: 'UNAVAILABLE' } });
  }
  expect(requests).toBe(0);
  const good = await startNginx({ instances: [url], ca });
  expect((await good.client.get('/')).status).toBe(200);
});

test('a new certificate of the instances: nginx is told as soon as the file has changed', async () => {
  const { url, ca } = await startInstance((_req, res) => res.end());
  const nginx = await startNginx({ instances: [url], ca: (await createTestCertificate()).ca });
  watchCertificates([nginx.pidFile, nginx.instancesCertFile]);
  expect((await nginx.client.get('/')).status).toBe(503);
  await sleep(1000);
  writeFileSync(nginx.instancesCertFile, ca);
  // A worker of nginx that ends closes the connection of the client, idle or not.
  const isAnswered = (): Promise<boolean> =>
    nginx.client.get('/').then(
      ({ status }) => status === 200,
      () => false,
    );
  await expectWithin(20_000, isAnswered);
});

test('a new certificate that instances show on both sides: no request fails', async () => {
  const certificate = await createTestCertificate();
  const services = [1, 2].map(() => spawnService({ env: settingsFor(certificate), cwd: temporaryFolder() }));
  const instances = await Promise.all(services.map(({ url }) => url));
  const nginx = await startNginx({ instances, ca: certificate.ca });
  const { certFile, keyFile } = certificate;
  watchCertificates(['-t', certFile, nginx.instancesCertFile, nginx.pidFile, certFile]);
  const statuses = new Map<number | string, number>();
  const count = (status: number | string): unknown => statuses.set(status, (statuses.get(status) ?? 0) + 1);
  const stop = new AbortController();
  const load = Array.from({ length: 4 }, async () => {
    while (!stop.signal.aborted) {
      await postOnce(nginx).then(count, count);
      await sleep(10);
    }
  });
  await sleep(1000);
  const next = await createTestCertificate();
  renameSync(next.keyFile, keyFile);
  renameSync(next.certFile, certFile);
  for (const { stdout } of services) {
    await expectWithin(20_000, () => stdout().includes('the certificate has been replaced'));
  }
  await sleep(1000);
  stop.abort();
  await Promise.all(load);
  expect([...statuses.keys()]).toEqual([201]);
  expect(nginx.log()).not.toContain('[emerg]');
});

test(
  `${IDLE_REQUESTS} requests, each about when nginx closes the connection to the instance that it would use: all are answered`,
  async () => {
    const { url, ca } = await startService();
    const idle = ['keepalive_timeout 60s;', 'keepalive_timeout 1s;'] as const;
    const nginx = await startNginx({ instances: [url], ca, changes: [idle] });
    const statuses = new Set<number>();
    for (let sent = 0; sent < IDLE_REQUESTS; sent += 50) {
      const round = Array.from({ length: 50 }, async (_, index) => {
        await sleep(950 + 2 * index);
        const body = JSON.stringify({ message: `${sent + index}` });
        statuses.add((await nginx.client.post('/messages', body)).status);
      });
      await Promise.all(round);
    }
    expect(statuses).toEqual(new Set([201]));
    expect(nginx.log()).not.toMatch(/"upstream":"[^"]*,/);
  },
  60_000 + IDLE_REQUESTS * 40,
);

test.each<[string, RequestListener]>([
  ['breaks off', (req) => void req.on('end', () => req.socket.destroy()).resume()],
  ['is not ready', (_req, res) => res.writeHead(503).end()],
  ['does not answer', () => undefined],
])('what an instance that %s was asked, another one does, writes too', async (_, fail) => {
  const certificate = await createTestCertificate();
  const [asked, done]: [string[], string[]] = [[], []];
  const bad = await startInstance((req, res) => {
    asked.push(String(req.method));
    fail(req, res);
  }, certificate);
  const good = await startInstance((req, res) => {
    void text(req).then((body) => {
      done.push(body);
      res.end();
    });
  }, certificate);
  const nginx = await startNginx({
    instances: [bad.url, good.url],
    ca: certificate.ca,
    changes: [['proxy_read_timeout 10s;', 'proxy_read_timeout 200ms;']],
  });
  const bodies = Array.from({ length: 8 }, (_value, index) => `${index} ${'x'.repeat(100_000)}`);
  for (const body of bodies) expect((await nginx.client.post('/messages', body)).status).toBe(200);
  expect(asked.length).toBeGreaterThan(0);
  expect(done).toEqual(bodies);
});

/** @returns the version and cipher that came about, or what the handshake failed with. */
async function shakeHands(nginx: Nginx, version: SecureVersion, ciphers: string): Promise<string> {
  const { port } = new URL(nginx.url);
  // Level 0, for this side must not be what refuses.
  const options = { minVersion: version, maxVersion: version, ciphers: `${ciphers}:@SECLEVEL=0`, ca: nginx.ca };
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: Number(port), ...options }, () => {
      resolve(`${socket.getProtocol() ?? ''} ${socket.getCipher().standardName}`);
      socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? '');
    });
  });
}

test('TLS 1.2 with forward secrecy and authenticated encryption, and 1.3; nothing older or weaker', async () => {
  const { url, ca } = await startInstance((_req, res) => res.end());
  const nginx = await startNginx({ instances: [url], ca });
  expect(await shakeHands(nginx, 'TLSv1.3', 'TLS_AES_128_GCM_SHA256:DEFAULT')).toBe('TLSv1.3 TLS_AES_128_GCM_SHA256');
  expect(await shakeHands(nginx, 'TLSv1.2', 'DEFAULT')).toMatch(/^TLSv1.2 TLS_ECDHE_ECDSA_WITH_.*(GCM|POLY1305)/);
  expect(await shakeHands(nginx, 'TLSv1.2', 'ECDHE-ECDSA-AES128-SHA256')).toMatch(/_ALERT_HANDSHAKE_FAILURE$/);
  expect(await shakeHands(nginx, 'TLSv1.2', 'AES128-GCM-SHA256')).toMatch(/_ALERT_HANDSHAKE_FAILURE$/);
  for (const old of ['TLSv1', 'TLSv1.1'] as const) {
    expect(await shakeHands(nginx, old, 'ALL')).toMatch(/_ALERT_PROTOCOL_VERSION$/);
  }
});

test('ciphers and idle times are those of the instances, or fit them', () => {
  const ciphers = /ssl_ciphers (\S+);/.exec(conf)?.[1]?.split(':');
  expect(ciphers).toEqual([...listener.matchAll(/'(ECDHE-[^']+)'/g)].map(([, name]) => name));
  const seconds = Number(/^ {4}keepalive_timeout (\d+)s;/m.exec(conf)?.[1]);
  const instanceMs = Number(/keepAliveTimeout: ([\d_]+)/.exec(listener)?.[1]?.replace('_', ''));
  expect(seconds).toBe(60);
  expect(instanceMs).toBeGreaterThanOrEqual((seconds + 10) * 1000);
});

/** What hides a second request in the first, for a server that reads lengths in another way than nginx. */
const HIDDEN = 'POST /messages HTTP/1.1\r\nHost: x\r\nContent-Length: 22\r\n\r\n{"message":"smuggled"}';
const smuggled: Record<string, string> = {
  'a length and chunks': `Content-Length: ${HIDDEN.length + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
  'chunks and a shorter length': `Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n${HIDDEN}\r\n0\r\n\r\n`,
  'two lengths': `Content-Length: 0\r\nContent-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`,
  'a list of lengths': `Content-Length: 0, ${HIDDEN.length}\r\n\r\n${HIDDEN}`,
  'a length with a sign': `Content-Length: +${HIDDEN.length}\r\n\r\n${HIDDEN}`,
  'a space before the colon': `Content-Length: ${HIDDEN.length}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
  'a vertical tab in the coding': `Content-Length: ${HIDDEN.length + 5}\r\nTransfer-Encoding: \u000bchunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
  'an unknown coding': `Content-Length: ${HIDDEN.length}\r\nTransfer-Encoding: xchunked\r\n\r\n${HIDDEN}`,
  'two codings': `Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${HIDDEN}`,
  'a folded coding': `Content-Length: ${HIDDEN.length + 5}\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
  'a bare line feed': `Content-Length: ${HIDDEN.length + 5}\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
  'a bare carriage return': `Content-Length: ${HIDDEN.length}\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n${HIDDEN}`,
  'an underscore for a hyphen': `Content-Length: ${HIDDEN.length}\r\nTransfer_Encoding: chunked\r\n\r\n${HIDDEN}`,
  'a chunk size with a sign': `Transfer-Encoding: chunked\r\n\r\n+5c\r\n${HIDDEN}\r\n0\r\n\r\n`,
  'a chunk size that overflows': `Transfer-Encoding: chunked\r\n\r\n1000000000000005c\r\n${HIDDEN}\r\n0\r\n\r\n`,
  'a chunk extension over two lines': `Transfer-Encoding: chunked\r\n\r\n0;x\n${HIDDEN}\r\n\r\n`,
  'a trailer': `Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: ${HIDDEN.length}\r\n\r\n`,
  'the body of a GET': `Content-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`,
  'an expectation': `Expect: 100-continue\r\nContent-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`,
  'an upgrade': `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`,
  'hop-by-hop lengths': `Connection: close, Content-Length\r\nContent-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`,
};

test('what is hidden in one request is never another: nginx and the instance count the same, and others get their own', async () => {
  const service = await startService();
  const nginx = await startNginx({ instances: [service.url], ca: service.ca });
  for (const [name, attack] of Object.entries(smuggled)) {
    for (const line of ['POST /messages', 'GET /messages', 'POST /graphql']) {
      await sendRaw(nginx, `${line} HTTP/1.1\r\nHost: x\r\n${attack}`, 100);
      for (let other = 0; other < 3; other++) {
        const answer = await nginx.client.get('/health', { 'x-request-id': `other-${other}` });
        expect([name, answer.status, answer.text, answer.headers['x-request-id']]).toEqual([name, 200, '{"status":"ok"}', `other-${other}`]); // prettier-ignore
      }
    }
  }
  const last = await nginx.client.get('/all-messages', { 'x-request-id': 'last' });
  expect(await nginx.lineOf(last)).toMatchObject({ status: 200 });
  const lines = (log: string): Record<string, unknown>[] =>
    (log.match(/^\{.*\}$/gm) ?? []).map((text) => JSON.parse(text) as Record<string, unknown>);
  const counted = lines(nginx.log()).filter(({ upstream }) => upstream !== '');
  const served = lines(service.log()).filter(({ msg }) => msg === 'request');
  const key = ({ method, route, requestId }: Record<string, unknown>): string => [method, route, requestId].join(' ');
  expect(served.map(key).sort()).toEqual(counted.map(key).sort());
});
