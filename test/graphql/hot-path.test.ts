import fc from 'fast-check';
import { AppError } from '../../src/errors.ts';
import type { MessageStore } from '../../src/messages/message.store.ts';
import type { Answer, Client } from '../support/client.ts';
import { faultyStore } from '../support/faulty-store.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { anyRequest, KNOWN_TEXTS, shaOf, type AnyRequest } from '../support/operations.ts';
import { startService, type Service } from '../support/service.ts';

/** HOT_PATH_RUNS=100000 for a campaign. */
const RUNS = Number(process.env['HOT_PATH_RUNS'] ?? 400);

const BROKEN = shaOf('broken');
const MEDIA_TYPES = ['application/json', 'application/graphql-response+json', '*/*', 'image/png'];

/**
 * The real store, in which one message cannot be read: one error of ours, and one that nobody foresaw. No page has it,
 * for what a page has is in the cache afterwards, and can be read.
 */
function brokenStore(store: MessageStore): MessageStore {
  return faultyStore({
    find: (sha) => (sha === BROKEN ? Promise.reject(new AppError('INTEGRITY_ERROR')) : store.find(sha)),
    page: async (request, maxBytes) => {
      if (request.cursor === BROKEN) throw new TypeError('secret');
      const page = await store.page(request, maxBytes);
      return { ...page, items: page.items.filter(({ sha }) => sha !== BROKEN) };
    },
  })(store);
}

/** What the metrics are told of each request that is over. */
const noted: unknown[] = [];

let service: Service;
beforeAll(async () => {
  service = await startService({
    env: { MAX_MESSAGE_BYTES: '100' },
    overrides: {
      decorateStore: brokenStore,
      observers: [
        ({ routePath, res: { statusCode }, operation, errorCodes, receivedBytes, sentBytes }) => {
          noted.push({ routePath, statusCode, operation, errorCodes, receivedBytes, sentBytes });
        },
      ],
    },
  });
  for (const text of KNOWN_TEXTS) {
    expect((await service.client.post('/messages', JSON.stringify({ message: text }))).status).toBe(201);
  }
  noted.splice(0);
});
afterAll(disposeLeftovers);

type Send = (client: Client, request: AnyRequest, accept: string) => Promise<Answer>;

const post: Send = (client, request, accept) =>
  client.post('/graphql', JSON.stringify(request), {
    accept,
    'content-type': 'application/json',
    'x-request-id': 'same',
  });

const get: Send = (client, request, accept) => {
  const parameters = Object.entries(request).filter(([, value]) => value !== undefined && value !== null);
  const search = new URLSearchParams();
  for (const [name, value] of parameters) search.set(name, typeof value === 'string' ? value : JSON.stringify(value));
  return client.get(`/graphql?${search.toString()}`, {
    accept,
    'apollo-require-preflight': '1',
    'x-request-id': 'same',
  });
};

/** All that a client can see of an answer; the date may pass from one second to the next. */
function visible({ status, headers, text }: Answer): unknown {
  return { status, headers: { ...headers, date: '' }, text };
}

/** What the log says of the last request, apart from when and how long. */
function lastLines({ logLines }: Service, from: number): unknown[] {
  return logLines()
    .slice(from)
    .map((line) => ({ ...line, time: 0, durationMs: 0, err: undefined }));
}

test.each(Object.entries({ post, get }))(
  'by %s, the first run of any operation and all later ones look the same',
  async (_name, send) => {
    let succeeded = 0;
    await fc.assert(
      fc.asyncProperty(anyRequest, fc.constantFrom(...MEDIA_TYPES), async (request, accept) => {
        const runs = [];
        for (let run = 0; run < 3; run++) {
          const from = service.logLines().length;
          const answer = await send(service.client, request, accept);
          runs.push({ answer: visible(answer), log: lastLines(service, from), noted: noted.splice(0) });
          if (answer.text.startsWith('{"data"')) succeeded++;
        }
        const [first, ...later] = runs;
        expect(first?.noted).toHaveLength(1);
        for (const run of later) expect(run).toEqual(first);
      }),
      { numRuns: RUNS },
    );
    // Otherwise the operations would be no test of the hot path.
    expect(succeeded).toBeGreaterThan(RUNS / 4);
  },
  60_000 + RUNS * 200,
);

test('an operation that was accepted once is still judged by its variables', async () => {
  const query =
    'query P($n: Int) { a: messages(first: $n) { nodes { sha text bytes createdAt } } b: messages(first: $n) { nodes { sha text bytes createdAt } edges { cursor node { sha text bytes } } } }';
  expect((await service.client.graphql(query, { n: 1 })).text).toMatch(/^\{"data"/);
  expect((await service.client.graphql(query, { n: 1 })).text).toMatch(/^\{"data"/);
  expect((await service.client.graphql(query, { n: 1000 })).text).toContain('QUERY_TOO_COMPLEX');
  expect((await service.client.graphql(query, { n: 'x' })).text).toContain('BAD_USER_INPUT');
});

test('what @skip takes away cannot pay for the rest', async () => {
  const pages = Array.from({ length: 5 }, (_, index) => `p${index}: messages(first: 1000) { nodes { sha bytes } }`);
  const literal = `{ z: messages(first: -2147483648) @skip(if: true) { nodes { sha } } ${pages.join(' ')} }`;
  const variable = `query($n: Int) ${literal.replace('-2147483648', '$n')}`;
  for (let run = 0; run < 2; run++) {
    expect((await service.client.graphql(literal)).text).toContain('QUERY_TOO_COMPLEX');
    expect((await service.client.graphql(variable, { n: -(2 ** 31) })).text).toContain('QUERY_TOO_COMPLEX');
  }
});

test('__proto__ is a name like any other', async () => {
  const [text = ''] = KNOWN_TEXTS;
  const query =
    'query($__proto__: Sha256!, $c: Boolean!) { __proto__: messageBySha(sha: $__proto__) { text @include(if: $c) } }';
  const body = JSON.stringify({ query, variables: {} }).replace('{}', `{"__proto__":"${shaOf(text)}","c":true}`);
  for (let run = 0; run < 3; run++) {
    const answer = await service.client.post('/graphql', body, { 'content-type': 'application/json' });
    expect(answer.text).toBe(`{"data":{"__proto__":{"text":"${text}"}}}\n`);
  }
});

test('a name and a text that begins with it are two operations', async () => {
  const { client } = service;
  const twice = { query: 'query A { __typename } query B { b: __typename }', operationName: 'A' };
  for (let run = 0; run < 2; run++) {
    expect((await post(client, twice, '*/*')).json).toEqual({ data: { __typename: 'Query' } });
    expect((await post(client, { ...twice, operationName: 'B' }, '*/*')).json).toEqual({ data: { b: 'Query' } });
    expect((await post(client, { query: `A${twice.query}` }, '*/*')).text).toContain('GRAPHQL_PARSE_FAILED');
    expect((await post(client, { query: twice.query }, '*/*')).text).toContain('OPERATION_RESOLUTION_FAILURE');
  }
});

test('a mutation whose answer has an error runs once', async () => {
  let added = 0;
  const failing = await startService({
    overrides: {
      decorateStore: (store) =>
        faultyStore({
          add: (message) => {
            added++;
            return store.add(message);
          },
        })(store),
    },
  });
  const query =
    'mutation($a: String!, $b: String!) { a: addMessage(text: $a) { sha } b: addMessage(text: $b) { sha } }';
  await failing.client.graphql(query, { a: 'one', b: 'two' });
  expect(added).toBe(2);
  expect((await failing.client.graphql(query, { a: 'three', b: '\ud800' })).text).toContain('BAD_USER_INPUT');
  expect(added).toBe(3);
});
