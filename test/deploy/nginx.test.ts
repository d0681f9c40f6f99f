import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { Answer, ClientRequest } from '../support/client.ts';
import { faultyStore } from '../support/faulty-store.ts';
import { Http2Client } from '../support/http2-client.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { startNginx, type Nginx } from '../support/nginx.ts';
import { sendRaw } from '../support/raw.ts';
import { startService, type Service } from '../support/service.ts';

const FOO = '2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae';
const UNKNOWN = '0'.repeat(64);
const JSON_TYPE = { 'content-type': 'application/json' };
const PAGE = JSON.stringify({ query: '{ messages(last: 2) { nodes { text } } }' });
const ADD = JSON.stringify({ query: 'mutation { addMessage(text: "foo") { sha bytes } }' });

let service: Service;
let nginx: Nginx;
beforeAll(async () => {
  service = await startService();
  nginx = await startNginx({ instances: [service.url], ca: service.ca });
  for (const text of ['foo', 'bar']) await service.client.post('/messages', JSON.stringify({ message: text }));
});
afterAll(disposeLeftovers);

const post = (path: string, body: string, headers = {}): ClientRequest => ({
  method: 'POST',
  path,
  body,
  headers: { 'content-length': String(Buffer.byteLength(body)), ...headers },
});

const requests: readonly ClientRequest[] = [
  { path: '/' },
  { path: '/', headers: { accept: 'text/html' } },
  { path: '/health' },
  { path: '/health/ready' },
  { path: '/nope' },
  post('/messages', '{"message":"foo"}'),
  post('/messages', '{"message":"foo"}', { 'content-type': 'application/x-www-form-urlencoded' }),
  post('/messages', ''),
  post('/messages', '{'),
  post('/messages', '{"message":1}'),
  post('/messages', '{"message":"\\ud800"}'),
  post('/messages', '{"message":"x"}', { 'content-encoding': 'gzip' }),
  post('/messages', JSON.stringify({ message: 'x'.repeat(1_048_577) })),
  post('/messages', JSON.stringify({ message: '\u0001'.repeat(1_048_576) })),
  { method: 'POST', path: '/messages', body: '{"message":"foo"}', headers: { 'transfer-encoding': 'chunked' } },
  { path: '/messages' },
  { path: '/all-messages' },
  { path: '/messages?limit=1' },
  { path: `/messages?limit=1&after=${FOO}` },
  { path: '/messages?limit=0' },
  { path: `/messages/${FOO}` },
  { path: `/message/${FOO}` },
  { path: `/messages/${FOO}?x=1` },
  { path: `/messages/${FOO}/` },
  { path: `/messages/${FOO.toUpperCase()}` },
  { path: `/messages/${UNKNOWN}` },
  { path: `/messages/${FOO}`, headers: { 'if-none-match': `"${FOO}"` } },
  { path: `/messages/${FOO}`, headers: { 'if-none-match': `W/"${FOO}"` } },
  { path: `/messages/${FOO}`, headers: { 'if-none-match': '*' } },
  { path: `/messages/${FOO}`, headers: { 'if-none-match': '"x"' } },
  { path: `/messages/${FOO}`, headers: { range: 'bytes=0-3' } },
  { path: `/messages/${FOO}`, headers: { authorization: 'Bearer x' } },
  ...['/', '/messages', '/all-messages', `/messages/${FOO}`, `/messages/${UNKNOWN}`, '/graphql'].flatMap((path) =>
    ['HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PATCH'].map((method) => ({ method, path })),
  ),
  ...['https://studio.apollographql.com', 'https://evil.example'].flatMap((origin) => [
    { path: '/messages', headers: { origin } },
    { path: `/messages/${FOO}`, headers: { origin } },
    {
      method: 'OPTIONS',
      path: '/graphql',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' },
    },
  ]),
  post('/graphql', ADD, JSON_TYPE),
  post('/graphql', PAGE, JSON_TYPE),
  post('/graphql', PAGE, { ...JSON_TYPE, accept: 'application/graphql-response+json' }),
  post('/graphql', PAGE, { ...JSON_TYPE, accept: 'text/plain' }),
  post('/graphql', '{"query":"{ nothing }"}', { ...JSON_TYPE, accept: 'application/graphql-response+json' }),
  post('/graphql', '{"query":"{"}', JSON_TYPE),
  post('/graphql', PAGE),
  {
    path: `/graphql?query=${encodeURIComponent('{ messages { nodes { sha } } }')}`,
    headers: { 'apollo-require-preflight': '1' },
  },
  { path: '/graphql', headers: { accept: 'text/html' } },
  { path: '/nope', headers: { 'x-request-id': 'my-1' } },
  // Paths that a careless proxy would resolve, and a file server answer.
  ...[
    '/messages/../etc/passwd',
    '/messages/%2e%2e%2fetc%2fpasswd',
    '/messages/..%5c..%5cx',
    '/messages/.',
    '/./messages',
    '//messages',
    '/messages//',
    '/messages;x',
    `/messages/${FOO};x`,
    `//messages/${FOO}`,
    `/./messages/${FOO}`,
    `/messages/%32${FOO.slice(1)}`,
    '/messages%2f',
    '/%6dessages',
    '/messages/%ff',
    '/error',
    '/index.html',
  ].map((path) => ({ path })),
];

/** Without what belongs to one connection, one moment or one server. */
function comparable({ status, headers, text }: Answer): unknown {
  const own = ['date', 'server', 'connection', 'keep-alive', 'transfer-encoding'];
  const rest = Object.fromEntries(Object.entries(headers).filter(([name]) => !own.includes(name)));
  // Apollo's page has a new nonce each time.
  return { status, headers: rest, text: text.replaceAll(/(?<=nonce\W{1,2})[0-9a-f]{64}/g, '') };
}

const withId = (request: ClientRequest): ClientRequest => ({
  ...request,
  headers: { 'x-request-id': 'same', ...request.headers, host: 'localhost:5000' },
});

test('every answer is the one that an instance gives: status, headers, body', async () => {
  for (const request of requests) {
    const { method = 'GET', path } = request;
    const direct = comparable(await service.client.request(withId(request)));
    for (let time = 0; time < 2; time++) {
      const proxied = comparable(await nginx.client.request(withId(request)));
      expect([method, path, proxied]).toEqual([method, path, direct]);
    }
  }
});

test('the same over HTTP/2', async () => {
  const client = new Http2Client(nginx.url, nginx.ca);
  for (const request of requests) {
    const { method = 'GET', path } = request;
    const { host, ...headers } = withId(request).headers ?? {};
    // There are no codings of the connection's own in HTTP/2.
    delete headers['transfer-encoding'];
    const direct = comparable(await service.client.request(withId(request)));
    const proxied = comparable(
      await client.request({ ...request, headers: { ...headers, ':authority': String(host) } }),
    );
    expect([method, path, proxied]).toEqual([method, path, direct]);
  }
});

test.each(['/messages/%00', '/messages/%zz', '/messages/%e0%a4%a', '/../messages', '/messages/../../x'])(
  'what nginx itself does not take for a path is 400: %s',
  async (path) => {
    const answer = await nginx.client.get(path);
    expect(answer).toMatchObject({
      status: 400,
      json: { code: 'BAD_REQUEST', requestId: answer.headers['x-request-id'] },
    });
    expect([400, 404]).toContain((await service.client.get(path)).status);
  },
);

test('a client of HTTP/1.0 without Host is answered, the list included', async () => {
  for (const path of ['/', '/health', '/messages']) {
    const answer = await sendRaw(nginx, `GET ${path} HTTP/1.0\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).not.toContain('chunked');
  }
});

test('a list that fails half way is cut, not ended, in HTTP/1.1 and HTTP/2', async () => {
  const shas = async function* (): AsyncGenerator<never> {
    for (let page = 0; page < 50; page++) yield Array<string>(1000).fill(UNKNOWN) as never;
    await Promise.resolve();
    throw new Error('the store is gone');
  };
  const failing = await startService({ overrides: { decorateStore: faultyStore({ shas }) } });
  const proxy = await startNginx({ instances: [failing.url], ca: failing.ca });
  await expect(proxy.client.get('/messages')).rejects.toMatchObject({ code: 'ECONNRESET' });
  await expect(new Http2Client(proxy.url, proxy.ca).request({ path: '/messages' })).rejects.toThrow();
});

test('a list goes no faster than its client reads it, and is nowhere as a whole', async () => {
  const page = Array<string>(1000).fill(UNKNOWN);
  let pages = 0;
  const shas = async function* (): AsyncGenerator<never> {
    for (; pages < 10_000; pages++) yield page as never;
    await Promise.resolve();
  };
  const endless = await startService({ overrides: { decorateStore: faultyStore({ shas }) } });
  const proxy = await startNginx({ instances: [endless.url], ca: endless.ca });
  const { port } = new URL(proxy.url);
  const socket = connect({ host: '127.0.0.1', port: Number(port), ca: proxy.ca });
  socket.write('GET /messages HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'readable');
  // Until nothing moves any more.
  for (let seen = -1; seen !== pages;) {
    seen = pages;
    await sleep(500);
  }
  socket.destroy();
  expect(pages).toBeGreaterThan(1);
  // The systems' buffers of two connections, and nginx's few; without a limit all 670 MB would be there.
  expect(pages * 67_000).toBeLessThan(64e6);
});
