import { createHash } from 'node:crypto';
import fc from 'fast-check';

/** The parameters of a GraphQL request, well-formed or not. */
export type AnyRequest = Record<string, unknown> & { readonly query: unknown };

/** The texts that the operations look for; what they add is new. */
export const KNOWN_TEXTS = ['foo', '', 'naïve "quotes" \\ \u0000 \u2028', '𝄞'.repeat(20), 'broken'];
export const shaOf = (text: string): string => createHash('sha256').update(text).digest('hex');

const knownShas = KNOWN_TEXTS.map(shaOf);
const anySha = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...knownShas) },
  fc.constantFrom(shaOf('absent'), knownShas[0]?.toUpperCase() ?? '', 'abc', ''),
);
const anyCount = fc.oneof({ weight: 10, arbitrary: fc.constantFrom(1, 2, 3, 100) }, fc.constantFrom(0, -1, 1000, 1001));
const anyDirective = fc.oneof(
  { weight: 40, arbitrary: fc.constant('') },
  {
    weight: 10,
    arbitrary: fc.constantFrom(' @skip(if: $yes)', ' @include(if: $yes)', ' @include(if: $maybe)', ' @skip(if: false)'),
  },
  { weight: 3, arbitrary: fc.constantFrom(' @include(if: false)', ' @skip(if: $yes) @include(if: $maybe)') },
  fc.constant(' @include(if: $absent)'),
);
const anyAlias = fc.oneof({ weight: 15, arbitrary: fc.constant('') }, fc.constantFrom('a: ', 'b: ', '__proto__: '));

/** A field or a spread with an alias and directives; few aliases, so that selections merge, and now and then clash. */
const decorated = (field: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(anyAlias, field, anyDirective).map(([alias, name, directive]) => {
    const [head = '', ...body] = name.split(/(?= \{)/);
    return name.startsWith('...') ? name : `${alias}${head}${directive}${body.join('')}`;
  });
const selection = (...fields: fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.array(decorated(fc.oneof(...fields)), { minLength: 1, maxLength: 4 }).map((parts) => `{ ${parts.join(' ')} }`);
const withSelection = (name: string, body: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  body.map((text) => `${name} ${text}`);
const inline = (type: string, body: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(fc.constantFrom(` on ${type}`, ''), anyDirective, body).map((parts) => `...${parts.join(' ')}`);

const messageField = fc.constantFrom('sha', 'text', 'bytes', 'createdAt', '__typename', '...M', '...N');
const message = selection(messageField, messageField, inline('Message', selection(messageField)));
const pageInfo = selection(fc.constantFrom('hasNextPage', 'hasPreviousPage', 'startCursor', 'endCursor', '__typename'));
const connection = selection(
  withSelection('nodes', message),
  withSelection('edges', selection(fc.constant('cursor'), withSelection('node', message))),
  withSelection('pageInfo', pageInfo),
);
const pageArguments = fc.oneof(
  fc.constantFrom('', '(first: $count)', '(last: $count)', '(first: $count, after: $sha)', '(before: $sha)'),
  fc.tuple(fc.constantFrom('first', 'last'), anyCount).map(([name, count]) => `(${name}: ${count})`),
);
const lookup = fc.oneof(
  fc.constant('messageBySha(sha: $sha)'),
  anySha.map((sha) => `messageBySha(sha: ${JSON.stringify(sha)})`),
);
const introspection = fc.constantFrom(
  '__schema { queryType { name fields(includeDeprecated: $maybe) { name args { name defaultValue } } } }',
  '__type(name: "Message") { kind fields { name type { kind ofType { name } } } }',
  '__type(name: "Nothing") { name }',
);
const page = fc.tuple(pageArguments, connection).map(([args, body]) => `messages${args} ${body}`);
const queryField = fc.oneof(
  fc.tuple(lookup, message).map((parts) => parts.join(' ')),
  page,
  introspection,
  fc.oneof({ weight: 12, arbitrary: fc.constantFrom('__typename', '...Q') }, fc.constant('nothing')),
);
const query = selection(queryField, queryField, inline('Query', selection(queryField)));
const mutation = selection(
  fc
    .tuple(fc.constantFrom('$text', '"foo"', '"""block"""', '"\\ud800"', '1', 'null'), message)
    .map(([text, body]) => `addMessage(text: ${text}) ${body}`),
  fc.constant('__typename'),
);

const variableDefinitions: Record<string, string> = {
  sha: '$sha: Sha256!',
  count: '$count: Int = 2',
  text: '$text: String!',
  yes: '$yes: Boolean!',
  maybe: '$maybe: Boolean = true',
};
const fragments: Record<string, string> = {
  M: 'fragment M on Message { sha b: bytes ...N }',
  N: 'fragment N on Message { text @include(if: $yes) __typename }',
  Q: 'fragment Q on Query { a: messages(first: 3) { nodes { ...M } } __typename }',
};

/** The operation with what it uses, and no more: both unused variables and unused fragments are invalid. */
function complete(kind: string, name: string, body: string): string {
  const used = new Set<string>();
  for (let size = -1; size !== used.size;) {
    size = used.size;
    const text = [body, ...[...used].map((fragment) => fragments[fragment])].join(' ');
    for (const fragment of Object.keys(fragments)) if (text.includes(`...${fragment}`)) used.add(fragment);
  }
  const spread = [...used].map((fragment) => fragments[fragment] ?? '');
  const variables = Object.keys(variableDefinitions).filter((variable) =>
    [body, ...spread].some((text) => text.includes(`$${variable}`)),
  );
  const definitions = variables.map((variable) => variableDefinitions[variable]).join(', ');
  return [`${kind} ${name}${definitions && `(${definitions})`} ${body}`, ...spread].join('\n');
}

const document = fc.oneof(
  { weight: 10, arbitrary: query.map((body) => complete('query', 'One', body)) },
  { weight: 4, arbitrary: mutation.map((body) => complete('mutation', 'One', body)) },
  query.map((body) => `${complete('query', 'One', body)}\nquery Two { __typename }`),
  fc.constantFrom(
    '',
    '{',
    '{ __typename }',
    '{ nothing }',
    'fragment F on Query { __typename }',
    '#\u0000\n{ __typename }',
  ),
);
const variableValues = {
  sha: fc.oneof({ weight: 20, arbitrary: anySha }, fc.constantFrom<unknown>(1, null, [], 'é')),
  count: fc.oneof({ weight: 20, arbitrary: anyCount }, fc.constantFrom<unknown>(null, '1', 1.5, 2 ** 31)),
  text: fc.oneof(
    { weight: 20, arbitrary: fc.string({ unit: 'binary', maxLength: 10 }) },
    fc.constantFrom<unknown>('broken', '\ud800', 'x'.repeat(200), 7, null),
  ),
  yes: fc.oneof({ weight: 20, arbitrary: fc.boolean() }, fc.constantFrom<unknown>('true', null)),
  maybe: fc.oneof({ weight: 20, arbitrary: fc.boolean() }, fc.constant(null)),
  unused: fc.constant({ deep: [1] }),
};
const variables = fc.oneof(
  { weight: 12, arbitrary: fc.record(variableValues) },
  fc.record(variableValues, { requiredKeys: [] }),
);

/** Requests over the real schema: valid for the most part, often failing somewhere, sometimes no request at all. */
export const anyRequest: fc.Arbitrary<AnyRequest> = fc.record(
  {
    query: fc.oneof({ weight: 30, arbitrary: document }, fc.constantFrom<unknown>(null, 1, undefined)),
    variables: fc.oneof({ weight: 25, arbitrary: variables }, fc.constantFrom<unknown>(null, [], 'x')),
    operationName: fc.oneof(
      { weight: 12, arbitrary: fc.constant('One') },
      fc.constantFrom<unknown>('Two', '', null, 'Three', 1, '\u0000#'),
    ),
    extensions: fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom<unknown>(null, {}, { client: 'x' }) },
      fc.constantFrom<unknown>({ persistedQuery: { version: 1 } }, 'x'),
    ),
  },
  { requiredKeys: ['query', 'variables'] },
);
