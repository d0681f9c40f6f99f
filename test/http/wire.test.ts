import { createHash } from 'node:crypto';
import { AppError, type ErrorCode } from '../../src/errors.ts';
import { faultyStore } from '../support/faulty-store.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { sendRaw } from '../support/raw.ts';
import { startService, type Service } from '../support/service.ts';

/**
 * The complete response to a request of every kind, header by header, compared with a recording. A change that is meant
 * to be visible to clients is recorded again with `npm test -- wire --updateSnapshot`.
 */

const shaOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const [STORED, ABSENT] = [shaOf('stored'), shaOf('absent')];

const ALLOWED_ORIGIN = 'Origin: https://studio.apollographql.com';
const FOREIGN_ORIGIN = 'Origin: https://example.com';
const JSON_BODY = 'Content-Type: application/json';

let service: Service;
beforeAll(async () => {
  service = await startService({ env: { MAX_MESSAGE_BYTES: '200' } });
  for (const message of ['stored', 'later']) await service.client.post('/messages', JSON.stringify({ message }));
});
afterAll(disposeLeftovers);

interface WireRequest {
  readonly target: string;
  readonly method?: string;
  readonly version?: string;
  readonly headers?: readonly string[];
  readonly body?: string | Buffer;
}

/** Sends one request on a connection of its own. @returns the response in a form that is the same at every run. */
async function record(to: Service, { target, method = 'GET', version = '1.1', headers = [], body }: WireRequest) {
  const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  const head = [`${method} ${target} HTTP/${version}`, 'Host: localhost', ...headers, ...length, 'Connection: close'];
  const bytes = Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), Buffer.from(body ?? '')]);
  const response = Buffer.from(await sendRaw(to, bytes), 'latin1').toString('utf8');
  const [statusLine = '', ...lines] = response.slice(0, response.indexOf('\r\n\r\n')).split('\r\n');
  const fields = lines.map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase())).sort();
  return `\n${[statusLine, ...fields, '', response.slice(response.indexOf('\r\n\r\n') + 4)].map(withoutChance).join('\n')}\n`;
}

/** Ids, times, ports and the parts of a page that are random. */
function withoutChance(line: string): string {
  return line
    .replace(/^date: .*/, 'date: …')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uuid>')
    .replace(/"createdAt":"[^"]+"/g, '"createdAt":"…"')
    .replace(/--cacert \S+/g, '--cacert FILE')
    .replace(/(nonce[=-]"?)[0-9a-f]{20,}/g, '$1…')
    .replace(/https:\/\/127\.0\.0\.1:\d+/g, 'https://HOST:PORT');
}

const operation = (query: string, variables?: object): string => JSON.stringify({ query, variables });

/** Path, method, and everything that an answer depends on, by a name. */
const requests: Record<string, WireRequest> = {
  'greeting for a browser': { target: '/', headers: ['Accept: text/html'] },
  'page of the list': { target: '/messages?limit=1' },
  'last page of the list': { target: `/messages?limit=1&after=${STORED}` },
  'page of the list, HEAD': { target: '/messages?limit=1', method: 'HEAD' },
  'page with a bad limit': { target: '/messages?limit=0' },
  'page after an unknown message': { target: `/messages?after=${ABSENT}` },
  'list in HTTP/1.0': { target: '/messages', version: '1.0' },
  'message by the singular path': { target: `/message/${STORED}` },
  'message, percent-encoded': { target: `/messages/%${STORED.charCodeAt(0).toString(16)}${STORED.slice(1)}` },
  'message with a query string': { target: `/messages/${STORED}?x` },
  'message by an absolute target': { target: `https://localhost/messages/${STORED}` },
  'message, own tag': { target: `/messages/${STORED}`, headers: [`If-None-Match: "${STORED}"`] },
  'message, own weak tag, HEAD': { target: `/messages/${STORED}`, method: 'HEAD', headers: [`If-None-Match: W/"${STORED}"`] }, // prettier-ignore
  'message, any tag': { target: `/messages/${STORED}`, headers: ['If-None-Match: *'] },
  'message, another tag': { target: `/messages/${STORED}`, headers: [`If-None-Match: "${ABSENT}"`] },
  'message that is absent': { target: `/messages/${ABSENT}` },
  'message that is absent, HEAD': { target: `/messages/${ABSENT}`, method: 'HEAD' },
  'message, uppercase sha': { target: `/messages/${STORED.toUpperCase()}` },
  'path that does not decode': { target: '/messages/%zz' },
  'path with a trailing slash': { target: '/messages/' },
  'path in another case': { target: '/Messages' },
  'own request id': { target: '/health', headers: ['X-Request-Id: abc.DEF-1'] },
  'request id that is not accepted': { target: '/health', headers: [`X-Request-Id: ${'x'.repeat(65)}`] },
  'added message': { target: '/messages', method: 'POST', body: '{"message":"stored"}' },
  'added message, form type': { target: '/messages', method: 'POST', headers: ['Content-Type: application/x-www-form-urlencoded'], body: '{"message":"stored"}' }, // prettier-ignore
  'added message, query string': { target: '/messages?x=y', method: 'POST', body: '{"message":"stored"}' },
  'no body': { target: '/messages', method: 'POST', body: '' },
  'body that is no object': { target: '/messages', method: 'POST', body: '[]' },
  'body without a message': { target: '/messages', method: 'POST', body: '{}' },
  'message that is no string': { target: '/messages', method: 'POST', body: '{"message":1}' },
  'message with a lone surrogate': { target: '/messages', method: 'POST', body: '{"message":"\\ud800"}' },
  'message that is too long': {
    target: '/messages',
    method: 'POST',
    body: JSON.stringify({ message: 'x'.repeat(201) }),
  },
  'body that is too long': { target: '/messages', method: 'POST', headers: ['Content-Length: 1000000'] },
  'malformed JSON': { target: '/messages', method: 'POST', body: '{' },
  'JSON that nests too deep': { target: '/messages', method: 'POST', body: '['.repeat(40) },
  'body that is not UTF-8': { target: '/messages', method: 'POST', body: Buffer.from('{"message":"\xff"}', 'latin1') },
  'another charset': { target: '/messages', method: 'POST', headers: ['Content-Type: application/json; charset=latin1'], body: '{}' }, // prettier-ignore
  'compressed body': { target: '/messages', method: 'POST', headers: ['Content-Encoding: gzip'], body: '{}' },
  'unknown expectation': { target: '/messages', method: 'POST', headers: ['Expect: magic'], body: '{}' },
  'header without a colon': { target: '/messages', headers: ['nonsense'] },
  'landing page': { target: '/graphql', headers: ['Accept: text/html'] },
  'query by GET': { target: '/graphql?query={__typename}', headers: ['Apollo-Require-Preflight: 1'] },
  'query by GET, HEAD': { target: '/graphql?query={__typename}', method: 'HEAD', headers: ['Apollo-Require-Preflight: 1'] }, // prettier-ignore
  'query by GET without the CSRF header': { target: '/graphql?query={__typename}' },
  'mutation by GET': { target: '/graphql?query=mutation{__typename}', headers: ['Apollo-Require-Preflight: 1'] },
  'GraphQL in another type': { target: '/graphql', method: 'POST', headers: ['Content-Type: text/plain'], body: '{}' },
  'GraphQL for an image': { target: '/graphql', method: 'POST', headers: [JSON_BODY, 'Accept: image/png'], body: operation('{ __typename }') }, // prettier-ignore
  'GraphQL body that is a list': { target: '/graphql', method: 'POST', headers: [JSON_BODY], body: '[]' },
  'GraphQL body without a query': { target: '/graphql', method: 'POST', headers: [JSON_BODY], body: '{}' },
  'GraphQL body that is malformed': { target: '/graphql', method: 'POST', headers: [JSON_BODY], body: '{' },
};

const operations: Record<string, string> = {
  message: operation('query ($sha: Sha256!) { messageBySha(sha: $sha) { sha text bytes createdAt } }', { sha: STORED }),
  'absent message': operation('query ($sha: Sha256!) { messageBySha(sha: $sha) { sha } }', { sha: ABSENT }),
  page: operation('{ messages(first: 1) { nodes { sha } pageInfo { hasNextPage endCursor } } }'),
  mutation: operation('mutation ($text: String!) { addMessage(text: $text) { sha } }', { text: 'stored' }),
  'failing mutation': operation('mutation ($text: String!) { addMessage(text: $text) { sha } }', { text: '\ud800' }),
  'malformed sha': operation('query ($sha: Sha256!) { messageBySha(sha: $sha) { sha } }', { sha: 'x' }),
  'unknown field': operation('{ nothing }'),
  'syntax error': operation('{'),
  'expensive query': operation(`{ ${'abcd'.split('').map((alias) => `${alias}: messages(first: 1000) { nodes { sha text bytes } }`).join(' ')} }`), // prettier-ignore
  'unknown operation name': JSON.stringify({ query: 'query A { __typename }', operationName: 'B' }),
  'persisted query': JSON.stringify({ extensions: { persistedQuery: { version: 1, sha256Hash: ABSENT } } }),
};

const PATHS = ['/', '/health', '/health/ready', '/messages', '/all-messages', `/messages/${STORED}`, `/message/${STORED}`, '/graphql', '/nothing']; // prettier-ignore

describe('every path with every method', () => {
  for (const target of PATHS) {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'POST']) {
      test(`${method} ${target}`, async () => {
        expect(await record(service, { target, method })).toMatchSnapshot();
      });
    }
  }
});

describe('every path for pages of an allowed and of a foreign origin', () => {
  for (const target of PATHS) {
    test.each([
      ['an allowed one', { target, headers: [ALLOWED_ORIGIN] }],
      ['a foreign one', { target, headers: [FOREIGN_ORIGIN] }],
      ['an allowed one, before it posts', { target, method: 'OPTIONS', headers: [ALLOWED_ORIGIN, 'Access-Control-Request-Method: POST', 'Access-Control-Request-Headers: content-type, x-a'] }], // prettier-ignore
      ['a foreign one, before it posts', { target, method: 'OPTIONS', headers: [FOREIGN_ORIGIN, 'Access-Control-Request-Method: POST'] }], // prettier-ignore
    ])(`${target}: %s`, async (_, request) => {
      expect(await record(service, request)).toMatchSnapshot();
    });
  }
});

describe('every outcome', () => {
  test.each(Object.entries(requests))('%s', async (_, request) => {
    expect(await record(service, request)).toMatchSnapshot();
  });
});

describe('every outcome of an operation, the first time and again', () => {
  for (const accept of ['application/json', 'application/graphql-response+json']) {
    test.each(Object.entries(operations))(`%s as ${accept}`, async (_, body) => {
      const headers = [JSON_BODY, `Accept: ${accept}`, ALLOWED_ORIGIN];
      const request = { target: '/graphql', method: 'POST', headers, body };
      const first = await record(service, request);
      expect(first).toMatchSnapshot();
      expect(await record(service, request)).toBe(first);
    });
  }
});

test('nothing is read for HEAD on the list, and a page that may not see it says so', async () => {
  const shas = () => {
    throw new Error('the list was read');
  };
  const strict = await startService({ overrides: { decorateStore: faultyStore({ shas }) } });
  expect(await record(strict, { target: '/messages', method: 'HEAD' })).toMatchSnapshot();
  expect(await record(strict, { target: '/messages' })).toMatchSnapshot();
});

test('refusals under overload', async () => {
  const busy = await startService({ overrides: { overload: { admit: () => false } } });
  for (const request of [
    { target: '/messages', headers: [ALLOWED_ORIGIN] },
    { target: `/messages/${ABSENT}` },
    { target: '/health' },
    { target: '/graphql', method: 'POST', headers: [JSON_BODY], body: operation('{ __typename }') },
    { target: '/nothing' },
    { target: '/messages', method: 'OPTIONS' },
  ]) {
    expect(await record(busy, request)).toMatchSnapshot(`${request.method ?? 'GET'} ${request.target}`);
  }
});

/** What stores reject with, and what they should not. */
const STORE_ERRORS: ErrorCode[] = [
  'STORE_BUSY',
  'STORE_UNAVAILABLE',
  'STORE_FULL',
  'NOT_READY',
  'BAD_USER_INPUT',
  'INTEGRITY_ERROR',
  'INTERNAL',
];

test.each(STORE_ERRORS)('a store that fails with %s', async (code) => {
  const fail = (): Promise<never> => Promise.reject(new AppError(code));
  const failing = await startService({
    overrides: { decorateStore: faultyStore({ find: fail, add: fail, summaryPage: fail, ping: fail, shas: fail as never }) },
  }); // prettier-ignore
  for (const request of [
    { target: `/messages/${ABSENT}` },
    { target: '/messages?limit=1' },
    { target: '/health/ready' },
    { target: '/messages', method: 'POST', body: '{"message":"x"}' },
    { target: '/graphql', method: 'POST', headers: [JSON_BODY], body: operation(`{ messageBySha(sha: "${ABSENT}") { sha } }`) }, // prettier-ignore
    { target: '/graphql', method: 'POST', headers: [JSON_BODY], body: operation('{ messages { nodes { sha } } }') },
  ]) {
    expect(await record(failing, request)).toMatchSnapshot(`${request.method ?? 'GET'} ${request.target}`);
  }
});
