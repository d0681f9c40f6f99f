import { getIntrospectionQuery } from 'graphql';
import type { Answer } from '../support/client.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { startService, type Service } from '../support/service.ts';

const SHA = '2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae';

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(disposeLeftovers);

interface GraphQLError {
  readonly message: string;
  readonly extensions: { readonly code: string };
}
const errorsOf = ({ json }: Answer): GraphQLError[] => (json as { errors?: GraphQLError[] }).errors ?? [];
const repeat = (count: number, part: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => part(index)).join(' ');
const lookup = (index: number): string => `a${index}: messageBySha(sha: "${SHA}") { sha }`;

const refused: Record<string, [string, string]> = {
  '31 aliases': [`{ ${repeat(31, lookup)} }`, 'QUERY_TOO_COMPLEX'],
  '100 aliases, spread by fragments': [
    `{ ...F ...G } fragment F on Query { ${repeat(20, lookup)} } fragment G on Query { ${repeat(20, (n) => lookup(n + 20))} }`,
    'QUERY_TOO_COMPLEX',
  ],
  'aliases in a mutation': [
    `mutation { ${repeat(31, (n) => `a${n}: addMessage(text: "${n}") { sha }`)} }`,
    'QUERY_TOO_COMPLEX',
  ],
  'a fragment bomb': [
    `{ ...F0 } ${repeat(30, (n) => `fragment F${n} on Query { ...F${n + 1} ...F${n + 1} }`)} fragment F30 on Query { a: __typename b: __typename }`,
    'QUERY_TOO_COMPLEX',
  ],
  'deep introspection': [
    `{ __type(name: "Query") ${'{ ofType '.repeat(20)} { name } ${'}'.repeat(20)} }`,
    'QUERY_TOO_COMPLEX',
  ],
  'more pages than one answer may have': [
    `{ ${repeat(4, (n) => `p${n}: messages(first: 1) { nodes { sha } }`)} }`,
    'QUERY_TOO_COMPLEX',
  ],
  'two pages of everything': [
    `{ ${repeat(2, (n) => `p${n}: messages(first: 1000) { nodes { sha text bytes createdAt } edges { cursor node { sha text bytes createdAt } } }`)} }`,
    'QUERY_TOO_COMPLEX',
  ],
  'more than 1000 tokens': [`{ ${'__typename '.repeat(1000)} }`, 'GRAPHQL_PARSE_FAILED'],
  '10,000 directives': [`{ __typename ${'@a'.repeat(10_000)} }`, 'GRAPHQL_PARSE_FAILED'],
  '10,000 levels': [`${'{ a '.repeat(10_000)}${'}'.repeat(10_000)}`, 'GRAPHQL_PARSE_FAILED'],
  'a list literal 10,000 deep': [
    `{ messages(first: ${'['.repeat(10_000)}${']'.repeat(10_000)}) { nodes { sha } } }`,
    'GRAPHQL_PARSE_FAILED',
  ],
  'a circle of fragments': [
    `{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }`,
    'GRAPHQL_VALIDATION_FAILED',
  ],
  'repeated directives': [`{ __typename ${'@skip(if: false) '.repeat(100)} }`, 'GRAPHQL_VALIDATION_FAILED'],
  'a field that does not exist': ['{ mesages { nodes { sha } } }', 'GRAPHQL_VALIDATION_FAILED'],
  'a name of 5,000 letters': [`{ ${'x'.repeat(5000)} }`, 'GRAPHQL_VALIDATION_FAILED'],
  'a subscription': ['subscription { a }', 'GRAPHQL_VALIDATION_FAILED'],
  'no operation': ['fragment F on Query { __typename }', 'GRAPHQL_VALIDATION_FAILED'],
};

test.each(Object.entries(refused))(
  '%s: refused at once, in few words, without a hint at the schema',
  async (_, [query, code]) => {
    const start = performance.now();
    const answer = await service.client.graphql(query, undefined, { accept: 'application/graphql-response+json' });
    expect(answer.status).toBe(400);
    for (const { message, extensions } of errorsOf(answer)) {
      expect([extensions.code, message.length <= 300, message.includes('Did you mean')]).toEqual([code, true, false]);
    }
    expect(errorsOf(answer)[0]?.extensions.code).toBe(code);
    expect((await service.client.get('/messages')).text).toBe('{"digestList":[]}');
    // No benchmark: a guard against work that grows with the document beyond reason.
    expect(performance.now() - start).toBeLessThan(1000);
  },
);

const accepted: Record<string, string> = {
  'the introspection of common clients': getIntrospectionQuery({
    inputValueDeprecation: true,
    schemaDescription: true,
    specifiedByUrl: true,
    directiveIsRepeatable: true,
  }),
  '30 aliases': `{ ${repeat(30, lookup)} }`,
  'a full page of everything, with the type names that caching clients add': `{ messages(first: 1000) { __typename nodes { __typename sha text bytes createdAt } edges { __typename cursor node { __typename sha text bytes createdAt } } pageInfo { __typename hasNextPage hasPreviousPage startCursor endCursor } } }`,
  'three short pages': `{ ${repeat(3, (n) => `p${n}: messages(first: 10) { nodes { sha text } }`)} }`,
};

test.each(Object.entries(accepted))('%s: accepted', async (_, query) => {
  const answer = await service.client.graphql(query);
  expect([answer.status, errorsOf(answer)]).toEqual([200, []]);
});

test('variables decide about the size of pages too', async () => {
  const query =
    'query ($n: Int!) { a: messages(first: $n) { ...P } b: messages(first: $n) { ...P } } fragment P on MessageConnection { nodes { sha text bytes createdAt } edges { cursor node { sha text bytes } } }';
  expect(errorsOf(await service.client.graphql(query, { n: 10 }))).toEqual([]);
  expect(errorsOf(await service.client.graphql(query, { n: 1000 }))[0]?.extensions.code).toBe('QUERY_TOO_COMPLEX');
});

test('an answer that aliases would blow up is refused instead of built', async () => {
  const big = await startService({ env: { MAX_MESSAGE_BYTES: String(4 * 1024 * 1024) } });
  const { json } = await big.client.post('/messages', JSON.stringify({ message: 'x'.repeat(4 * 1024 * 1024) }));
  const { digest } = json as { digest: string };
  const query = (aliases: number): string =>
    `{ messageBySha(sha: "${digest}") { ${repeat(aliases, (n) => `t${n}: text`)} } }`;
  expect(errorsOf(await big.client.graphql(query(4)))).toEqual([]);
  expect(errorsOf(await big.client.graphql(query(5)))[0]?.extensions.code).toBe('QUERY_TOO_COMPLEX');
}, 60_000);

test('no error repeats what was sent', async () => {
  const MARK = 'CANARY-7d1f';
  const attempts: [string, Record<string, unknown>?][] = [
    [`{ messageBySha(sha: "${MARK}") { sha } }`],
    [`{ messages(first: "${MARK}") { nodes { sha } } }`],
    [`mutation { addMessage(text: ["${MARK}"]) { sha } }`],
    [`mutation { addMessage(text: {a: "${MARK}"}) { sha } }`],
    [`mutation { addMessage(text: "${MARK}" "${MARK}") { sha } }`],
    [`mutation { addMessage(text: """${MARK}""" """${MARK}""") { sha } }`],
    ['query ($s: Sha256!) { messageBySha(sha: $s) { sha } }', { s: MARK }],
    ['query ($s: Sha256!) { messageBySha(sha: $s) { sha } }', { s: { deep: [MARK] } }],
    ['query ($n: Int) { messages(first: $n) { nodes { sha } } }', { n: MARK }],
    ['mutation ($t: String!) { addMessage(text: $t) { sha } }', { t: [MARK] }],
    ['mutation ($t: String!) { addMessage(text: $t) { sha } }', { t: `${MARK}\ud800` }],
    [
      `query ($${'v'.repeat(200)}: Int) { messages(first: $${'v'.repeat(200)}) { nodes { sha } } }`,
      { ['v'.repeat(200)]: MARK },
    ],
  ];
  for (const [query, variables] of attempts) {
    const answer = await service.client.graphql(query, variables);
    expect(errorsOf(answer)).not.toEqual([]);
    expect(answer.text).not.toContain(MARK);
  }
  expect(service.log()).not.toContain(MARK);
  const named = JSON.stringify({ query: '{ __typename }', operationName: MARK });
  expect((await service.client.post('/graphql', named, { 'content-type': 'application/json' })).text).not.toContain(
    MARK,
  );
});

test('a document is limited in length, apart from its variables', async () => {
  const small = await startService({ env: { MAX_MESSAGE_BYTES: '100000' } });
  const text = 'x'.repeat(100_000);
  const add = 'mutation ($text: String!) { addMessage(text: $text) { bytes } }';
  expect((await small.client.graphql(add, { text })).json).toEqual({ data: { addMessage: { bytes: 100_000 } } });
  const literal = `mutation { addMessage(text: "${text}") { bytes } }`;
  expect((await small.client.graphql(literal)).json).toEqual({ data: { addMessage: { bytes: 100_000 } } });
  const answer = await small.client.graphql(`{ __typename }${','.repeat(110_000)}`);
  expect([answer.status, errorsOf(answer)[0]?.extensions.code]).toEqual([413, 'BODY_TOO_LARGE']);
});
