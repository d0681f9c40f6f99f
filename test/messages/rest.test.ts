import { createHash } from 'node:crypto';
import type { Answer } from '../support/client.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { assertDocumented } from '../support/openapi.ts';
import { startService, type Service } from '../support/service.ts';

const FOO = '2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae';
const BAR = 'fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9';
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const UNKNOWN = '0'.repeat(64);

let service: Service;
beforeAll(async () => {
  service = await startService({ env: { MAX_MESSAGE_BYTES: '1000' } });
});
afterAll(disposeLeftovers);

/** Every answer is held against schema/openapi.yaml on its way. */
async function call(
  method: string,
  path: string,
  body?: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer =
    body === undefined
      ? await service.client.request({ method, path, headers })
      : await service.client.post(path, body, headers);
  assertDocumented(method, path, answer);
  return answer;
}

function expectError(answer: Answer, status: number, code: string): void {
  expect(answer).toMatchObject({
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
    json: { error: expect.any(String) as string, code, requestId: answer.headers['x-request-id'] },
  });
}

describe('POST /messages', () => {
  test('answers 201 with digest, Location and ETag, also for a known text', async () => {
    for (const body of ['{"message":"foo"}', '{"message":"foo"}', ' { "message" : "foo" , "other" : [1] } ']) {
      expect(await call('POST', '/messages', body)).toMatchObject({
        status: 201,
        headers: { location: `/messages/${FOO}`, etag: `"${FOO}"`, 'content-type': 'application/json; charset=utf-8' },
        text: `{"digest":"${FOO}"}`,
      });
    }
  });

  test('takes the empty text', async () => {
    expect(await call('POST', '/messages', '{"message":""}')).toMatchObject({ status: 201, json: { digest: EMPTY } });
  });

  test('takes the last of duplicate keys, as the legacy service did', async () => {
    const answer = await call('POST', '/messages', '{"message":"foo","message":"bar"}');
    expect(answer).toMatchObject({ status: 201, json: { digest: BAR } });
  });

  test.each([
    'application/json',
    'application/x-www-form-urlencoded',
    'text/plain',
    'application/json; charset=UTF-8',
    'application/json; charset="utf-8"',
    'nonsense',
    'multipart/form-data',
  ])('does not mind Content-Type %s', async (type) => {
    expect(await call('POST', '/messages', '{"message":"foo"}', { 'content-type': type })).toMatchObject({
      status: 201,
    });
  });

  test.each([
    'application/json; charset=latin1',
    'text/plain; charset=utf-16',
    'application/json; charset=utf-7',
    'application/json; charset=utf-8; charset=utf-16',
  ])('refuses Content-Type %s', async (type) => {
    expectError(
      await call('POST', '/messages', '{"message":"foo"}', { 'content-type': type }),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    );
  });

  test.each(['gzip', 'br', 'deflate', 'zstd', 'gzip, gzip'])(
    'refuses a body in Content-Encoding %s',
    async (encoding) => {
      const answer = await call('POST', '/messages', '{"message":"foo"}', { 'content-encoding': encoding });
      expectError(answer, 415, 'UNSUPPORTED_MEDIA_TYPE');
    },
  );

  test.each([
    '',
    ' ',
    '{',
    '{"message":"foo"} x',
    "{'message':'foo'}",
    '{"message":"foo",}',
    '// c\n{"message":"foo"}',
    'NaN',
    '\ufeff{"message":"foo"}',
  ])('refuses %j: not JSON', async (body) => {
    expectError(await call('POST', '/messages', body), 400, 'INVALID_JSON');
  });

  test.each([
    '{}',
    '{"message":null}',
    '{"message":false}',
    '{"message":true}',
    '{"message":1}',
    '{"message":[]}',
    '{"message":{}}',
    '{"text":"foo"}',
    '"foo"',
    '1',
    '[]',
    'null',
    '["message"]',
    '{"__proto__":{"message":"foo"}}',
  ])('refuses %j: not a message', async (body) => {
    expectError(await call('POST', '/messages', body), 400, 'BAD_USER_INPUT');
  });

  test('refuses deep nesting quickly, whatever it is made of', async () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const body = `{"message":"foo","deep":${open.repeat(500)}1${close.repeat(500)}}`;
      expectError(await call('POST', '/messages', body), 400, 'INVALID_JSON');
    }
    const quoted = JSON.stringify({ message: `\\"${'['.repeat(100)}\\\\` });
    expect(await call('POST', '/messages', quoted)).toMatchObject({ status: 201 });
  });

  test('names the limit in 413, for a long text and for a longer body', async () => {
    for (const length of [1001, 20_000]) {
      const answer = await call('POST', '/messages', JSON.stringify({ message: 'x'.repeat(length) }));
      expectError(answer, 413, 'BODY_TOO_LARGE');
      expect((answer.json as { error: string }).error).toContain('1000 bytes');
    }
  });

  test('leaves Object.prototype alone', async () => {
    await call(
      'POST',
      '/messages',
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"message":"foo"}',
    );
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('GET and HEAD of a message', () => {
  test.each(['/messages', '/message'])('%s/<sha> answers the text, for ever cacheable', async (path) => {
    const expected = {
      status: 200,
      headers: { etag: `"${FOO}"`, 'cache-control': 'public, max-age=31536000, immutable', 'content-length': '17' },
    };
    expect(await call('GET', `${path}/${FOO}`)).toMatchObject({ ...expected, text: '{"message":"foo"}' });
    expect(await call('HEAD', `${path}/${FOO}`)).toMatchObject({ ...expected, text: '' });
  });

  test.each([`"${FOO}"`, `W/"${FOO}"`, `"x", "${FOO}"`, '*'])('If-None-Match: %s is 304', async (tag) => {
    expect(await call('GET', `/messages/${FOO}`, undefined, { 'if-none-match': tag })).toMatchObject({
      status: 304,
      headers: { etag: `"${FOO}"`, 'cache-control': 'public, max-age=31536000, immutable' },
      text: '',
    });
  });

  test.each([`"${BAR}"`, FOO, 'garbage', ''])('If-None-Match: %s is 200', async (tag) => {
    expect(await call('GET', `/messages/${FOO}`, undefined, { 'if-none-match': tag })).toMatchObject({ status: 200 });
  });

  test.each([
    UNKNOWN,
    FOO.toUpperCase(),
    FOO.slice(1),
    `${FOO}0`,
    'g'.repeat(64),
    `${FOO}%0a`,
    `0x${FOO}`,
    '%EF%BC%90'.repeat(64),
    `${FOO}%00`,
  ])('sha %s is 404, and no cache may keep that', async (sha) => {
    expectError(await call('GET', `/messages/${sha}`), 404, 'NOT_FOUND');
    for (const tag of ['*', `"${FOO}"`]) {
      expectError(await call('GET', `/messages/${sha}`, undefined, { 'if-none-match': tag }), 404, 'NOT_FOUND');
    }
  });

  test.each(['%', '%zz', '%E0%A4%A', '%ff'])('a path that does not decode (%s) is 400', async (path) => {
    expectError(await call('GET', `/messages/${path}`), 400, 'BAD_REQUEST');
  });
});

describe('the list', () => {
  test.each(['/messages', '/all-messages'])('GET %s streams every digest, oldest first', async (path) => {
    const answer = await call('GET', path);
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/json; charset=utf-8' } });
    expect((answer.json as { digestList: string[] }).digestList.slice(0, 3)).toEqual([FOO, EMPTY, BAR]);
    const head = await call('HEAD', path);
    expect(head).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/json; charset=utf-8' },
      text: '',
    });
  });

  test('pages carry a link to the next one while there is more', async () => {
    const first = await call('GET', '/messages?limit=2');
    expect(first).toMatchObject({ status: 200, json: { digestList: [FOO, EMPTY] } });
    expect(first.headers['link']).toBe(`</messages?limit=2&after=${EMPTY}>; rel="next"`);
    expect((await call('HEAD', '/messages?limit=2')).headers['link']).toBe(first.headers['link']);
    const rest = await call('GET', `/messages?limit=1000&after=${EMPTY}`);
    expect(rest.headers['link']).toBeUndefined();
    expect((rest.json as { digestList: string[] }).digestList[0]).toBe(BAR);
    expect(await call('GET', `/messages?after=${FOO}`)).toMatchObject({ status: 200 });
  });

  test.each([
    'limit=0',
    'limit=1001',
    'limit=-1',
    'limit=abc',
    'limit=1.5',
    'limit=',
    'limit=1e2',
    `limit=1&limit=2`,
    'after=abc',
    `after=${UNKNOWN}`,
    `after=${FOO}&after=${BAR}`,
    `after=${FOO.toUpperCase()}`,
    'after=',
  ])('GET /messages?%s is 400', async (query) => {
    expectError(await call('GET', `/messages?${query}`), 400, 'BAD_USER_INPUT');
  });
});

describe('everything else', () => {
  test.each([
    ['/messages', 'GET, HEAD, POST, OPTIONS'],
    ['/all-messages', 'GET, HEAD, OPTIONS'],
    [`/messages/${FOO}`, 'GET, HEAD, OPTIONS'],
    [`/message/${FOO}`, 'GET, HEAD, OPTIONS'],
    ['/health', 'GET, HEAD, OPTIONS'],
    ['/health/ready', 'GET, HEAD, OPTIONS'],
    ['/', 'GET, HEAD, OPTIONS'],
  ])('%s allows %s and nothing else', async (path, allow) => {
    for (const method of ['PUT', 'DELETE', 'PATCH', 'TRACE', 'LOCK', ...(allow.includes('POST') ? [] : ['POST'])]) {
      const answer = await service.client.request({ method, path });
      expectError(answer, 405, 'METHOD_NOT_ALLOWED');
      expect(answer.headers.allow).toBe(allow);
    }
    expect(await service.client.request({ method: 'OPTIONS', path })).toMatchObject({
      status: 204,
      headers: { allow },
      text: '',
    });
  });

  test.each([
    '/nope',
    '/messages/',
    '/Messages',
    '/messages//',
    '//messages',
    `/messages/${FOO}/x`,
    '/./messages',
    '/messages/..%2f..%2fetc%2fpasswd',
    '/all-messages/',
  ])('GET %s is 404', async (path) => {
    expectError(await service.client.get(path), 404, 'NOT_FOUND');
  });

  test('a lookup goes through the digest that anyone can compute', async () => {
    const text = 'printf %s';
    const sha = createHash('sha256').update(text).digest('hex');
    expect((await call('POST', '/messages', JSON.stringify({ message: text }))).json).toEqual({ digest: sha });
  });
});
