import type { Answer } from '../support/client.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { startService, type Service } from '../support/service.ts';

const SHA = '2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae';
const RESPONSE_JSON = 'application/graphql-response+json';

let service: Service;
beforeAll(async () => {
  service = await startService();
  await service.client.post('/messages', '{"message":"foo"}');
});
afterAll(disposeLeftovers);

const codeOf = ({ json }: Answer): unknown =>
  (json as { errors: { extensions: { code: string } }[] }).errors[0]?.extensions.code;

async function digestCount(): Promise<number> {
  return ((await service.client.get('/messages')).json as { digestList: string[] }).digestList.length;
}

describe('media types', () => {
  test.each([
    undefined,
    '*/*',
    'application/json',
    'application/json; charset=utf-8',
    'application/*',
    'text/html, */*;q=0.1',
  ])('Accept: %s gets application/json', async (accept) => {
    const answer = await service.client.graphql('{ __typename }', undefined, accept === undefined ? {} : { accept });
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/json; charset=utf-8' } });
  });

  test.each([
    RESPONSE_JSON,
    `${RESPONSE_JSON}, application/json;q=0.9`,
    `${RESPONSE_JSON};charset=UTF-8, application/json;charset=UTF-8;q=0.9`,
  ])('Accept: %s gets it', async (accept) => {
    const answer = await service.client.graphql('{ __typename }', undefined, { accept });
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': `${RESPONSE_JSON}; charset=utf-8` } });
  });

  test.each(['text/html', 'text/plain', 'application/json;q=0', 'application/xml'])(
    'Accept: %s is refused before the mutation runs',
    async (accept) => {
      const before = await digestCount();
      const answer = await service.client.graphql(
        `mutation { addMessage(text: "unseen ${accept}") { sha } }`,
        undefined,
        { accept },
      );
      expect([answer.status, codeOf(answer)]).toEqual([406, 'NOT_ACCEPTABLE']);
      expect(await digestCount()).toBe(before);
    },
  );

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json+evil',
    '',
  ])('Content-Type "%s" is not parsed as JSON', async (type) => {
    const before = await digestCount();
    const body = JSON.stringify({ query: `mutation { addMessage(text: "forged ${type}") { sha } }` });
    const answer = await service.client.post('/graphql', body, type === '' ? {} : { 'content-type': type });
    expect([answer.status, codeOf(answer)]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
    expect(await digestCount()).toBe(before);
  });
});

describe('findings about the document', () => {
  const cases: [string, string, object | undefined, string][] = [
    ['does not parse', '{', undefined, 'GRAPHQL_PARSE_FAILED'],
    ['does not validate', '{ nope }', undefined, 'GRAPHQL_VALIDATION_FAILED'],
    ['lacks a variable', 'query ($s: Sha256!) { messageBySha(sha: $s) { sha } }', {}, 'BAD_USER_INPUT'],
    [
      'gets a malformed sha in a variable',
      'query ($s: Sha256!) { messageBySha(sha: $s) { sha } }',
      { s: 'ABC' },
      'BAD_USER_INPUT',
    ],
    ['has a malformed sha', '{ messageBySha(sha: "ABC") { sha } }', undefined, 'BAD_USER_INPUT'],
    [
      'gets a variable of another type',
      'query ($n: Int) { messages(first: $n) { nodes { sha } } }',
      { n: 'x' },
      'BAD_USER_INPUT',
    ],
  ];
  test.each(cases)(
    'one that %s is 400 under the new media type, 200 under the old, and has no data',
    async (_, query, variables, code) => {
      for (const [accept, status] of [
        [RESPONSE_JSON, 400],
        ['application/json', 200],
      ] as const) {
        const answer = await service.client.graphql(query, variables as Record<string, unknown>, { accept });
        expect([answer.status, codeOf(answer)]).toEqual([status, code]);
        expect(answer.json).not.toHaveProperty('data');
        expect(answer.json).toMatchObject({ errors: [{ extensions: { requestId: answer.headers['x-request-id'] } }] });
      }
    },
  );

  test('an operation that is not in the document is found to be so', async () => {
    const body = JSON.stringify({ query: 'query A { __typename } query B { __typename }', operationName: 'C' });
    const answer = await service.client.post('/graphql', body, {
      'content-type': 'application/json',
      accept: RESPONSE_JSON,
    });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'OPERATION_RESOLUTION_FAILURE']);
  });

  test.each([
    '[]',
    '{}',
    '[{"query":"{__typename}"}]',
    '{"query":1}',
    '{"query":"{__typename}","variables":[]}',
    '"x"',
    'null',
    '{"query":""}',
  ])('the body %s is no request at all: 400 under any media type', async (body) => {
    const answer = await service.client.post('/graphql', body, { 'content-type': 'application/json' });
    expect(answer).toMatchObject({
      status: 400,
      json: { errors: [{ extensions: { code: 'BAD_REQUEST', requestId: answer.headers['x-request-id'] } }] },
    });
  });

  test.each(['{', '', '\ufeff{}'])('the body %j is not JSON', async (body) => {
    for (const accept of ['application/json', RESPONSE_JSON]) {
      const answer = await service.client.post('/graphql', body, { 'content-type': 'application/json', accept });
      expect([answer.status, codeOf(answer)]).toEqual([400, 'INVALID_JSON']);
      expect(answer.headers['content-type']).toBe(`${accept}; charset=utf-8`);
    }
  });
});

describe('pages', () => {
  const page = (args: string): string =>
    `{ messages(${args}) { nodes { text } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`;
  const shas: string[] = [];
  let paged: Service;
  beforeAll(async () => {
    paged = await startService();
    for (const text of ['a', 'b', 'c', 'd', 'e']) {
      const { json } = await paged.client.post('/messages', JSON.stringify({ message: text }));
      shas.push((json as { digest: string }).digest);
    }
  });

  const cases: [string, () => string, string[], boolean, boolean][] = [
    ['the first two', () => 'first: 2', ['a', 'b'], true, false],
    ['two after the second', () => `first: 2, after: "${shas[1]}"`, ['c', 'd'], true, true],
    ['the rest, forward', () => `after: "${shas[2]}"`, ['d', 'e'], false, true],
    ['the last two', () => 'last: 2', ['d', 'e'], false, true],
    ['two before the fourth', () => `last: 2, before: "${shas[3]}"`, ['b', 'c'], true, true],
    ['the rest, backward', () => `before: "${shas[2]}"`, ['a', 'b'], true, false],
    ['nothing before the first', () => `last: 3, before: "${shas[0]}"`, [], true, false],
    [
      'all of them by default, nulls being absent',
      () => 'first: null, after: null, last: null, before: null',
      ['a', 'b', 'c', 'd', 'e'],
      false,
      false,
    ],
  ];
  test.each(cases)('%s', async (_, args, texts, hasNextPage, hasPreviousPage) => {
    const cursors = texts.map((text) => shas['abcde'.indexOf(text)]);
    expect((await paged.client.graphql(page(args()))).json).toEqual({
      data: {
        messages: {
          nodes: texts.map((text) => ({ text })),
          edges: cursors.map((cursor) => ({ cursor })),
          pageInfo: {
            hasNextPage,
            hasPreviousPage,
            startCursor: cursors[0] ?? null,
            endCursor: cursors.at(-1) ?? null,
          },
        },
      },
    });
  });

  test.each([
    () => 'first: 1, last: 1',
    () => `first: 1, before: "${shas[1]}"`,
    () => `last: 1, after: "${shas[1]}"`,
    () => `after: "${shas[1]}", before: "${shas[3]}"`,
    () => 'first: 0',
    () => 'last: 0',
    () => 'last: 1001',
    () => 'first: -1',
  ])('arguments that contradict each other or are out of range (%#) are refused', async (args) => {
    expect(codeOf(await paged.client.graphql(page(args())))).toBe('BAD_USER_INPUT');
  });
});

test('a page of large texts ends early and says so; without the texts it is whole', async () => {
  const { client } = await startService();
  for (const letter of 'abcdef')
    await client.post('/messages', JSON.stringify({ message: letter.repeat(1024 * 1024) }));
  const read = async (selection: string, fragment = ''): Promise<[number, boolean]> => {
    const query = `query { messages(first: 10) { ${selection} pageInfo { hasNextPage } } } ${fragment}`;
    const { json } = await client.graphql(query);
    interface Page {
      readonly nodes?: unknown[];
      readonly edges?: unknown[];
      readonly pageInfo: { readonly hasNextPage: boolean };
    }
    const { nodes, edges, pageInfo } = (json as { data: { messages: Page } }).data.messages;
    return [(nodes ?? edges ?? []).length, pageInfo.hasNextPage];
  };
  expect(await read('nodes { sha bytes createdAt }')).toEqual([6, false]);
  expect(await read('nodes { text }')).toEqual([4, true]);
  expect(await read('edges { node { ... on Message { ...T } } }', 'fragment T on Message { t: text }')).toEqual([
    4,
    true,
  ]);
});

describe('GET', () => {
  const path = `/graphql?query=${encodeURIComponent(`{ messageBySha(sha: "${SHA}") { text } }`)}`;

  test('runs a query that a form could not have sent', async () => {
    const answer = await service.client.get(path, { 'apollo-require-preflight': '1' });
    expect(answer).toMatchObject({ status: 200, json: { data: { messageBySha: { text: 'foo' } } } });
    expect(
      await service.client.request({ method: 'HEAD', path, headers: { 'apollo-require-preflight': '1' } }),
    ).toMatchObject({
      status: 200,
      text: '',
      headers: { 'content-length': answer.headers['content-length'] },
    });
  });

  test('refuses one that a form could have sent', async () => {
    const answer = await service.client.get(path);
    expect([answer.status, codeOf(answer)]).toEqual([400, 'BAD_REQUEST']);
  });

  test('refuses a mutation with 405', async () => {
    const mutation = `/graphql?query=${encodeURIComponent('mutation { addMessage(text: "by GET") { sha } }')}`;
    const answer = await service.client.get(mutation, { 'apollo-require-preflight': '1' });
    expect([answer.status, answer.headers.allow]).toEqual([405, 'POST']);
  });

  test('shows a browser the landing page, under a policy of its own', async () => {
    const answer = await service.client.get('/graphql', { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' });
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
    expect(answer.text).toContain('<!DOCTYPE html>');
    expect(answer.headers['content-security-policy']).toContain('frame-src https://sandbox.embed.apollographql.com');
  });

  test.each(['PUT', 'DELETE', 'PATCH'])('%s is 405, in the shape of GraphQL', async (method) => {
    const answer = await service.client.request({ method, path: '/graphql' });
    expect([answer.status, answer.headers.allow, codeOf(answer)]).toEqual([
      405,
      'GET, HEAD, POST, OPTIONS',
      'METHOD_NOT_ALLOWED',
    ]);
  });
});

describe('CORS', () => {
  const preflight = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' };

  test('Apollo Sandbox may call both doors', async () => {
    const origin = 'https://studio.apollographql.com';
    for (const path of ['/graphql', '/messages']) {
      expect(
        await service.client.request({ method: 'OPTIONS', path, headers: { origin, ...preflight } }),
      ).toMatchObject({
        status: 204,
        headers: { 'access-control-allow-origin': origin, 'access-control-allow-headers': 'content-type' },
      });
      expect((await service.client.get(path, { origin })).headers['access-control-allow-origin']).toBe(origin);
    }
  });

  test('a page from elsewhere may not', async () => {
    const headers = { origin: 'https://elsewhere.example', ...preflight };
    const answer = await service.client.request({ method: 'OPTIONS', path: '/graphql', headers });
    expect(answer.status).toBe(204);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  });
});
