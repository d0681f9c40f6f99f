import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bodyLimitFor } from '../../src/http/body.ts';
import { errorTable, type ErrorCode, type ErrorRow } from '../../src/errors.ts';
import type { Answer } from '../support/client.ts';
import { Http2Client } from '../support/http2-client.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { startInstance, startNginx, type Nginx } from '../support/nginx.ts';
import { assertDocumented } from '../support/openapi.ts';
import { ROOT } from '../support/process.ts';
import { sendRaw } from '../support/raw.ts';
import { startService, type Service } from '../support/service.ts';

let service: Service;
let nginx: Nginx;
beforeAll(async () => {
  service = await startService();
  nginx = await startNginx({ instances: [service.url], ca: service.ca });
});
afterAll(disposeLeftovers);

/** Headers that every answer of the service has. */
const COMMON = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  vary: 'Origin',
};

/** As the service would have answered this code of its error table. */
function expectError(answer: Answer, code: ErrorCode, sentence: string = errorTable[code].sentence): void {
  const { status, retryAfter }: ErrorRow = errorTable[code];
  const requestId = answer.headers['x-request-id'];
  expect(requestId).toMatch(/^[\w.-]{1,64}$/);
  expect(answer).toMatchObject({
    status,
    headers: { ...COMMON, 'content-type': 'application/json; charset=utf-8' },
    json: { error: sentence, code, requestId },
  });
  expect(answer.headers['retry-after']).toBe(retryAfter?.toString());
  expect(Object.keys(answer.json as object)).toEqual(['error', 'code', 'requestId']);
}

/** An answer as it came over the wire. */
function parseRaw(bytes: string): Answer {
  const [head = '', text = ''] = bytes.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  );
  return { status: Number(statusLine.slice(9, 12)), headers, text, json: text === '' ? undefined : JSON.parse(text) };
}

const raw = async (...lines: string[]): Promise<Answer> =>
  parseRaw(await sendRaw(nginx, `${lines.join('\r\n')}\r\n\r\n`, 1_500));

test('what nginx says is in the error table, with the same status and sentence', () => {
  const conf = readFileSync(join(ROOT, 'deploy/nginx/nginx.conf'), 'utf8');
  const statuses = [...(/map \$status \$error_code \{([^}]*)\}/.exec(conf)?.[1]?.matchAll(/(\d+) (\w+);/g) ?? [])];
  const sentences = [...conf.matchAll(/^ {4}([A-Z_]+) "(.*)";$/gm)].map(([, code, sentence]) => [code, sentence]);
  expect(sentences).toHaveLength(7);
  for (const [code, sentence] of sentences) {
    const row = errorTable[code as ErrorCode];
    // This one is said with the limit.
    expect([code, sentence]).toEqual([code, code === 'BODY_TOO_LARGE' ? TOO_LARGE : row.sentence]);
    // The one that stands for all others.
    if (code === 'INTERNAL') continue;
    expect(statuses.find(([, , name]) => name === code)?.[1]).toBe(String(row.status));
  }
});

const LIMIT = bodyLimitFor(1_048_576);
const TOO_LARGE = 'A message may have at most 1048576 bytes of UTF-8.';

test('a body over the limit is 413 and names the limit, as from an instance; one at the limit is read', async () => {
  const over = 'x'.repeat(LIMIT + 1);
  for (const headers of [{}, { 'x-request-id': 'mine' }]) {
    const answer = await nginx.client.post('/messages', over, headers);
    expectError(answer, 'BODY_TOO_LARGE', TOO_LARGE);
    assertDocumented('POST', '/messages', answer);
  }
  expectError(await new Http2Client(nginx.url, nginx.ca).request({ method: 'POST', path: '/messages', body: over }), 'BODY_TOO_LARGE', TOO_LARGE); // prettier-ignore
  expect((await service.client.post('/messages', over)).json).toMatchObject({ error: TOO_LARGE });
  expect((await nginx.client.post('/messages', over.slice(1))).json).toMatchObject({ code: 'INVALID_JSON' });
  const chunked = { method: 'POST', path: '/messages', body: over, headers: { 'transfer-encoding': 'chunked' } };
  expectError(await nginx.client.request(chunked), 'BODY_TOO_LARGE', TOO_LARGE);
});

test('at the GraphQL door an error is an answer of GraphQL', async () => {
  const answer = await nginx.client.post('/graphql', 'x'.repeat(LIMIT + 1), { 'content-type': 'application/json' });
  const direct = await service.client.post('/graphql', 'x'.repeat(LIMIT + 1), { 'content-type': 'application/json' });
  for (const { status, headers, json } of [answer, direct]) {
    expect([status, json]).toEqual([
      413,
      { errors: [{ message: TOO_LARGE, extensions: { code: 'BODY_TOO_LARGE', requestId: headers['x-request-id'] } }] },
    ]);
  }
});

test.each([
  ['headers of 17 KiB', ['GET / HTTP/1.1', 'Host: x', `X: ${'y'.repeat(17_000)}`], 'HEADERS_TOO_LARGE'],
  ['10,000 headers', ['GET / HTTP/1.1', 'Host: x', ...Array<string>(10_000).fill('X: y')], 'HEADERS_TOO_LARGE'],
  ['a URL of 100 KiB', [`GET /${'y'.repeat(100_000)} HTTP/1.1`, 'Host: x'], 'HEADERS_TOO_LARGE'],
  ['nonsense', ['nonsense'], 'BAD_REQUEST'],
  ['no Host', ['GET / HTTP/1.1'], 'BAD_REQUEST'],
  ['two Hosts', ['GET / HTTP/1.1', 'Host: x', 'Host: y'], 'BAD_REQUEST'],
  ['a Host that is none', ['GET / HTTP/1.1', 'Host: a b/c'], 'BAD_REQUEST'],
  ['HTTP/3 in the words of HTTP/1', ['GET / HTTP/3.0', 'Host: x'], 'BAD_REQUEST'],
  ['a coding that nobody knows', ['POST /messages HTTP/1.1', 'Host: x', 'Transfer-Encoding: gzip'], 'BAD_REQUEST'],
  ['TRACE', ['TRACE /messages HTTP/1.1', 'Host: x', 'Connection: close'], 'METHOD_NOT_ALLOWED'],
] as const)('%s', async (_, lines, code) => {
  expectError(await raw(...lines), code);
});

test('headers of nearly 16 KiB are taken, as by an instance, over HTTP/2 too', async () => {
  for (const headers of [{ x: 'y'.repeat(15_000) }, { 'x-request-id': 'y'.repeat(15_000) }]) {
    expect((await nginx.client.get('/health', headers)).status).toBe(200);
    expect((await service.client.get('/health', headers)).status).toBe(200);
  }
  const client = new Http2Client(nginx.url, nginx.ca);
  expect((await client.request({ path: '/health', headers: { x: 'y'.repeat(15_000) } })).status).toBe(200);
  // Too many are the end of a connection of HTTP/2: what packs its headers is out of step.
  await expect(client.request({ path: '/health', headers: { x: 'y'.repeat(20_000) } })).rejects.toThrow();
});

test('TRACE is told what the path takes', async () => {
  for (const [path, allow] of [
    ['/messages', 'GET, HEAD, POST, OPTIONS'],
    ['/graphql', 'GET, HEAD, POST, OPTIONS'],
    ['/all-messages', 'GET, HEAD, OPTIONS'],
    [`/messages/${'0'.repeat(64)}`, 'GET, HEAD, OPTIONS'],
  ]) {
    for (const { client } of [nginx, service]) {
      const answer = await client.request({ method: 'TRACE', path: String(path) });
      expect(answer.text).toContain('"METHOD_NOT_ALLOWED"');
      expect([path, answer.status, answer.headers.allow]).toEqual([path, 405, allow]);
    }
  }
});

test('no instance: 503 with Retry-After at once, for every door, and documented', async () => {
  const gone = await startService();
  const proxy = await startNginx({ instances: [gone.url, gone.url.replace('127.0.0.1', '127.0.0.2')], ca: gone.ca });
  await gone.app.stop();
  const answers = [await proxy.client.get('/messages'), await proxy.client.post('/messages', '{"message":"x"}')];
  for (const answer of answers) expectError(answer, 'UNAVAILABLE');
  assertDocumented('GET', '/messages', answers[0] as Answer);
  assertDocumented('POST', '/messages', answers[1] as Answer);
  const { status, json, headers } = await proxy.client.graphql('{ messages { nodes { sha } } }');
  expect(status).toBe(503);
  expect(json).toEqual({
    errors: [
      {
        message: errorTable.UNAVAILABLE.sentence,
        extensions: { code: 'UNAVAILABLE', retryAfter: 1, requestId: headers['x-request-id'] },
      },
    ],
  });
  expect((await proxy.client.request({ method: 'HEAD', path: '/messages' })).text).toBe('');
});

test('an instance that does not answer is 503 too; what an instance itself answers is left as it is', async () => {
  const silent = await startInstance((req, res) => {
    if (req.url === '/hang') return;
    res.writeHead(Number(req.url?.slice(1)), { 'content-type': 'text/x-own' }).end('its own words');
  });
  const proxy = await startNginx({
    instances: [silent.url],
    ca: silent.ca,
    changes: [['proxy_read_timeout 10s;', 'proxy_read_timeout 1s;']],
  });
  expectError(await proxy.client.get('/hang'), 'UNAVAILABLE');
  for (const status of [400, 404, 405, 413, 431, 500, 502, 503, 504]) {
    const answer = await proxy.client.get(`/${status}`);
    expect(answer).toMatchObject({ status, text: 'its own words', headers: { 'content-type': 'text/x-own' } });
  }
});

test('no text, sha or query is in any line of nginx, whatever happens to it', async () => {
  const MARK = 'CANARY7f3a';
  const gone = await startService();
  const proxy = await startNginx({ instances: [gone.url], ca: gone.ca });
  const { client } = proxy;
  async function tellEverything(): Promise<void> {
    await client.post('/messages', JSON.stringify({ message: MARK }));
    await client.post('/messages', MARK.repeat(700_000));
    await client.get(`/messages/${MARK}?${MARK}`, {
      'x-request-id': `${MARK} ${MARK}`,
      'user-agent': MARK,
      referer: MARK,
    });
    await client.get(`/${MARK}%zz`);
    await client.get(`/graphql?query=${encodeURIComponent(`{ messageBySha(sha: "${MARK}") { sha } }`)}`);
    await client.graphql(`mutation { addMessage(text: "${MARK}") { text } }`);
    await client.request({ method: 'TRACE', path: `/messages/${MARK}` });
    await sendRaw(proxy, `GET /${MARK} HTTP/1.1\r\nHost: ${MARK}\r\n${MARK} : x\r\n\r\n`, 500);
    await sendRaw(proxy, `${MARK}\r\n\r\n`, 500);
    await sendRaw(proxy, `GET /${MARK.repeat(2000)} HTTP/1.1\r\n\r\n`, 500);
    await sendRaw(proxy, `POST /messages HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n${MARK}`, 100);
  }
  await tellEverything();
  await gone.app.stop();
  await tellEverything();
  await sleep(100);
  const lines = proxy.log().trim().split('\n');
  expect(lines.length).toBeGreaterThan(20);
  expect(lines.filter((line) => line.includes(MARK))).toEqual([]);
  // Nor whose they were.
  expect(lines.filter((line) => /"[^"]*client/i.test(line))).toEqual([]);
});
