import { setTimeout as sleep } from 'node:timers/promises';
import { faultyStore } from '../support/faulty-store.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { sendRaw } from '../support/raw.ts';
import { startService, type Service } from '../support/service.ts';

let service: Service;
beforeAll(async () => {
  service = await startService({ env: { MAX_MESSAGE_BYTES: '1000' } });
});
afterAll(disposeLeftovers);
afterEach(async () => {
  // Whatever was sent, the next client finds the service well.
  expect(await service.client.get('/health')).toMatchObject({ status: 200 });
});

const request = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;
const statusOf = (answer: string): string => answer.slice(9, 12);
const bodyOf = (answer: string): unknown => JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));

test('a body announced as too large is refused before it is sent', async () => {
  const answer = await sendRaw(
    service,
    request('POST /messages HTTP/1.1', 'Host: x', 'Content-Length: 1000000', 'Expect: 100-continue'),
  );
  expect(statusOf(answer)).toBe('413');
  expect(answer).toContain('Connection: close');
  expect(bodyOf(answer)).toMatchObject({ code: 'BODY_TOO_LARGE' });
});

test('a body that is expected is asked for, once', async () => {
  const head = request(
    'POST /messages HTTP/1.1',
    'Host: x',
    'Content-Length: 17',
    'Expect: 100-continue',
    'Connection: close',
  );
  const answer = await sendRaw(service, `${head}{"message":"foo"}`);
  expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /);
});

test('an unknown expectation is 417', async () => {
  const answer = await sendRaw(
    service,
    request('POST /messages HTTP/1.1', 'Host: x', 'Content-Length: 0', 'Expect: magic', 'Connection: close'),
  );
  expect(statusOf(answer)).toBe('417');
});

test('a chunked body is refused as soon as it is over the limit, and the client can read why', async () => {
  const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
  const answer = await sendRaw(
    service,
    `${request('POST /messages HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked')}${chunk.repeat(20)}`,
    5_000,
  );
  expect(statusOf(answer)).toBe('413');
  expect(answer).toContain('Connection: close');
});

test('a body that ends early stores nothing', async () => {
  const answer = await sendRaw(
    service,
    `${request('POST /messages HTTP/1.1', 'Host: x', 'Content-Length: 1000')}{"message":"cut"}`,
    300,
  );
  expect(answer).toBe('');
  expect((await service.client.get('/messages')).text).not.toContain('cut');
});

test.each([
  ['two lengths', ['Content-Length: 5', 'Content-Length: 6']],
  ['a length and chunks', ['Content-Length: 5', 'Transfer-Encoding: chunked']],
  ['a space before the colon', ['X : y']],
  ['a NUL in a value', ['X: a\u0000b']],
  ['a folded line', ['X: a', ' b']],
])('%s is 400 and the end of the connection', async (_, headers) => {
  const answer = await sendRaw(service, request('POST /messages HTTP/1.1', 'Host: x', ...headers));
  expect(statusOf(answer)).toBe('400');
  expect(bodyOf(answer)).toMatchObject({ code: 'BAD_REQUEST', error: 'The request is malformed.' });
});

test('an unknown method, a missing Host and plain nonsense are 400', async () => {
  for (const line of [request('FOO / HTTP/1.1', 'Host: x'), request('GET / HTTP/1.1'), 'nonsense\r\n\r\n']) {
    expect(statusOf(await sendRaw(service, line))).toBe('400');
  }
});

test('headers of 17 KiB, 10,000 headers and a URL of 100 KiB are 431', async () => {
  const many = Array.from({ length: 10_000 }, (_, index) => `X${index}: y`);
  for (const lines of [
    ['GET / HTTP/1.1', 'Host: x', `X: ${'y'.repeat(17_000)}`],
    ['GET / HTTP/1.1', 'Host: x', ...many],
    [`GET /${'y'.repeat(100_000)} HTTP/1.1`, 'Host: x'],
  ]) {
    const answer = await sendRaw(service, request(...lines));
    expect([statusOf(answer), bodyOf(answer)]).toMatchObject(['431', { code: 'HEADERS_TOO_LARGE' }]);
  }
});

test('headers named after what JavaScript inherits change nothing', async () => {
  const answer = await sendRaw(
    service,
    request('GET /health HTTP/1.1', 'Host: x', '__proto__: y', 'constructor: y', 'Connection: close'),
  );
  expect(statusOf(answer)).toBe('200');
});

test('a client of HTTP/1.0 without Host is answered and closed, the list included', async () => {
  for (const path of ['/health', '/messages']) {
    const answer = await sendRaw(service, request(`GET ${path} HTTP/1.0`));
    expect(statusOf(answer)).toBe('200');
    expect(answer).toContain('Connection: close');
    expect(answer).not.toContain('chunked');
  }
});

test('an id that would colour a terminal or split a header is replaced', async () => {
  const answer = await sendRaw(
    service,
    request('GET /health HTTP/1.1', 'Host: x', 'X-Request-Id: \u001b[31m', 'Connection: close'),
  );
  expect(answer).toMatch(/X-Request-Id: [0-9a-f-]{36}\r\n/);
});

test('requests sent in one go are answered in order', async () => {
  const answer = await sendRaw(
    service,
    request('GET /health HTTP/1.1', 'Host: x').repeat(99) +
      request('GET /nope HTTP/1.1', 'Host: x', 'Connection: close'),
  );
  expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual([...Array<string>(99).fill('HTTP/1.1 200'), 'HTTP/1.1 404']);
});

test('nonsense behind a request whose answer is still being sent is not answered into it', async () => {
  const shas = async function* (): AsyncGenerator<never> {
    yield ['0'.repeat(64)] as never;
    await sleep(500);
    yield ['1'.repeat(64)] as never;
  };
  const slow = await startService({ overrides: { decorateStore: faultyStore({ shas }) } });
  const answer = await sendRaw(slow, `${request('GET /messages HTTP/1.1', 'Host: x')}nonsense\r\n\r\n`);
  expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
});

test('a client that hangs up in the middle of the list leaves nothing behind', async () => {
  for (let round = 0; round < 50; round++) await sendRaw(service, request('GET /messages HTTP/1.1', 'Host: x'), 5);
  expect(service.log()).not.toMatch(/"level":[56]0/);
});

test('security headers are on every answer, and nothing says what the server is made of', async () => {
  for (const path of ['/', '/messages', '/nope', '/messages/%zz', '/graphql']) {
    const { headers } = await service.client.get(path);
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect([headers['x-powered-by'], headers['server']]).toEqual([undefined, undefined]);
  }
});

test('the greeting names the host by which the caller came, if that can stand in a command', async () => {
  for (const [host, said] of [
    ['example.com:8443', 'curl -k https://example.com:8443/'],
    ['localhost:1', 'https://localhost:1/'],
    ["x';rm -rf /", service.url],
    ['user@x', service.url],
    ['999.1.1.1', service.url],
    ['1.2.3.4.5', service.url],
    ['a..b', service.url],
    ['[::::]', service.url],
    ['[1.2.3.4]', service.url],
    ['xn--a', 'https://'],
    ['1e3', 'https://1e3/'],
    ['999999999999', service.url],
    ['.', service.url],
    ['x:99999', service.url],
    ['-', 'curl -k https://-/'],
    [`${'x'.repeat(300)}.y`, `https://${'x'.repeat(300)}.y/`],
    ['', service.url],
  ] as const) {
    const answer = await sendRaw(service, request('GET / HTTP/1.1', `Host: ${host}`, 'Connection: close'));
    expect(answer).toContain(said);
    expect(answer).not.toMatch(/rm -rf|user@x/);
  }
  const page = await service.client.get('/', { accept: 'text/html' });
  expect(page).toMatchObject({
    status: 200,
    headers: { 'content-type': 'text/html; charset=utf-8', vary: 'Origin, Accept' },
  });
});
