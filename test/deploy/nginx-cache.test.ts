import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import type { Answer } from '../support/client.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { startInstance, startNginx, type Nginx } from '../support/nginx.ts';
import { startService, type Service } from '../support/service.ts';

const shaOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const SANDBOX = 'https://studio.apollographql.com';
const OTHER = 'https://app.example.com';

let service: Service;
let nginx: Nginx;
beforeAll(async () => {
  service = await startService({ env: { CORS_ORIGINS: `${SANDBOX},${OTHER}` } });
  nginx = await startNginx({ instances: [service.url], ca: service.ca });
});
afterAll(disposeLeftovers);

/** What the cache did for a request: MISS, HIT, or nothing. */
const cacheStatus = async (answer: Answer): Promise<unknown> => (await nginx.lineOf(answer))['cache'];
const entries = (): number =>
  readdirSync(nginx.cacheFolder, { recursive: true }).filter((name) => /[0-9a-f]{32}$/.test(String(name))).length;
const add = (text: string): Promise<unknown> => service.client.post('/messages', JSON.stringify({ message: text }));

test('the absence of a message is never kept: not found, added, found', async () => {
  for (const path of ['/messages/', '/message/']) {
    const text = `later at ${path}`;
    for (let time = 0; time < 3; time++) {
      const answer = await nginx.client.get(path + shaOf(text));
      expect(answer).toMatchObject({ status: 404, json: { code: 'NOT_FOUND' } });
      expect(await cacheStatus(answer)).toBe('MISS');
    }
    await nginx.client.post('/messages', JSON.stringify({ message: text }));
    expect(await nginx.client.get(path + shaOf(text))).toMatchObject({ status: 200, json: { message: text } });
  }
});

test('a message is kept: the same answer, with the id of who asks, and a 304 for who has it', async () => {
  await add('kept');
  const path = `/messages/${shaOf('kept')}`;
  const first = await nginx.client.get(path, { 'x-request-id': 'first' });
  expect([first.headers['x-request-id'], await cacheStatus(first)]).toEqual(['first', 'MISS']);
  const second = await nginx.client.get(path, { 'x-request-id': 'second' });
  expect([second.headers['x-request-id'], await cacheStatus(second)]).toEqual(['second', 'HIT']);
  expect(second.text).toBe(first.text);
  for (const tag of [`"${shaOf('kept')}"`, `W/"${shaOf('kept')}"`, `"x", "${shaOf('kept')}"`, '*']) {
    const answer = await nginx.client.get(path, { 'if-none-match': tag });
    expect(answer).toMatchObject({ status: 304, text: '', headers: { etag: `"${shaOf('kept')}"` } });
    expect(await cacheStatus(answer)).toBe('HIT');
  }
  expect(await nginx.client.get(path, { 'if-none-match': '"other"' })).toMatchObject({ status: 200 });
  const head = await nginx.client.request({ method: 'HEAD', path });
  expect(head).toMatchObject({ status: 200, text: '', headers: { 'content-length': String(first.text.length) } });
  expect(await cacheStatus(head)).toBe('HIT');
});

test('HEAD may come first', async () => {
  await add('head first');
  const path = `/messages/${shaOf('head first')}`;
  expect(await nginx.client.request({ method: 'HEAD', path })).toMatchObject({ status: 200, text: '' });
  const answer = await nginx.client.get(path);
  expect(answer).toMatchObject({ status: 200, json: { message: 'head first' } });
  expect(await cacheStatus(answer)).toBe('HIT');
});

test('no origin sees what another is allowed, in whatever order they come', async () => {
  const evil = 'https://evil.example';
  const origins = [undefined, SANDBOX, OTHER, evil];
  for (const [index, first] of origins.entries()) {
    const text = `shared ${index}`;
    const seen: unknown[] = [];
    await add(text);
    for (const origin of [first, ...origins, ...origins]) {
      const answer = await nginx.client.get(`/messages/${shaOf(text)}`, origin === undefined ? {} : { origin });
      expect(answer).toMatchObject({ status: 200, json: { message: text }, headers: { vary: 'Origin' } });
      const allowed = origin === SANDBOX || origin === OTHER ? origin : undefined;
      expect([first, origin, answer.headers['access-control-allow-origin']]).toEqual([first, origin, allowed]);
      seen.push(await cacheStatus(answer));
    }
    // The second time round, each has its own.
    expect(seen.slice(-origins.length)).toEqual(origins.map(() => 'HIT'));
  }
});

test('nothing else is ever kept: lists, pages, GraphQL, odd forms of a path, requests with credentials', async () => {
  await add('not kept');
  const sha = shaOf('not kept');
  const query = encodeURIComponent(`{ messageBySha(sha: "${sha}") { text } }`);
  const before = entries();
  for (let time = 0; time < 2; time++) {
    const answers = [
      await nginx.client.get('/'),
      await nginx.client.get('/messages'),
      await nginx.client.get('/all-messages'),
      await nginx.client.get('/messages?limit=1'),
      await nginx.client.get(`/messages/${sha}?x=1`),
      await nginx.client.get(`/messages/%${sha.charCodeAt(0).toString(16)}${sha.slice(1)}`),
      await nginx.client.get(`//messages/${sha}`),
      await nginx.client.get(`/messages/${sha.toUpperCase()}`),
      await nginx.client.get(`/messages/${sha}`, { authorization: 'Bearer x' }),
      await nginx.client.get(`/graphql?query=${query}`, { 'apollo-require-preflight': '1' }),
      await nginx.client.graphql(`{ messageBySha(sha: "${sha}") { text } }`),
    ];
    for (const answer of answers) expect(await cacheStatus(answer)).toBe('');
  }
  expect(entries()).toBe(before);
});

test.each([
  ['private, as with authentication', 200, { 'cache-control': 'private, max-age=31536000, immutable' }, false],
  ['no word about it', 200, {}, false],
  ['an absence that says nothing', 404, {}, false],
  ['an error', 500, {}, false],
  ['public, as now', 200, { 'cache-control': 'public, max-age=31536000, immutable' }, true],
])('what the service says decides: %s', async (_, status, headers, isKept) => {
  const { url, ca } = await startInstance((_req, res) => res.writeHead(status, headers).end('{}'));
  const proxy = await startNginx({ instances: [url], ca });
  for (const id of ['first', 'second']) {
    const answer = await proxy.client.get(`/messages/${shaOf('')}`, { 'x-request-id': id });
    expect(answer.status).toBe(status);
    expect(await proxy.lineOf({ ...answer, headers: { 'x-request-id': id } })).toMatchObject({
      cache: isKept && id === 'second' ? 'HIT' : 'MISS',
    });
  }
});
