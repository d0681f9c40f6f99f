import fc from 'fast-check';
import type { GraphQLObjectType } from 'graphql';
import { buildSchema, execute, parse, validate, type ExecutionResult } from 'graphql';
import { CompiledOperation } from '../../src/graphql/compiled/compiled-operation.ts';

/** COMPILED_RUNS=100000 for a campaign. */
const RUNS = Number(process.env['COMPILED_RUNS'] ?? 300);

const schema = buildSchema(`
  enum Colour { RED GREEN }
  type Node {
    word: String
    number(plus: Int = 1, unused: [Int!]): Int!
    colour: Colour
    later: Node
    laterStrict: Node!
    nodes: [Node!]
    rareNodes: [Node]!
    words: [String!]!
    fails: String
    failsStrict: String!
    failsLater: Node
    failsLaterStrict: Node!
    missing: Int!
  }
  type Query { node: Node strict: Node! list: [[Node!]]! }
  type Mutation { first: Node second(fail: Boolean): Node third: Node! }
`);

/**
 * Objects as careless as resolvers can make them: promises, methods, errors as values, lists that are none. In a list of
 * non-null items nothing is a promise, because there graphql-js leaves rejections to nobody.
 */
function createNode(depth: number, isSync = false): unknown {
  if (depth === 0) return { word: 'leaf', number: 7, colour: 'RED', words: new Set(['a', 'b']), missing: null };
  const child = (): unknown => createNode(depth - 1, isSync);
  const failure = new Error('as a value');
  const fail = (): never => {
    throw new Error('at once');
  };
  const failLater = (): Promise<never> =>
    new Promise((_, reject) => setTimeout(() => reject(new Error('much later')), 1));
  return {
    word: depth % 2 && !isSync ? Promise.resolve('later') : 'now',
    number: ({ plus }: { plus: number }) => depth + plus,
    colour: depth === 2 ? 'BLUE' : 'GREEN',
    later: isSync ? child : async () => Promise.resolve(child()),
    laterStrict: isSync ? child : async () => Promise.resolve(depth === 1 ? null : child()),
    nodes: [createNode(depth - 1, true), depth === 2 ? null : createNode(depth - 1, true)],
    rareNodes: () => {
      if (depth === 3) return 'no list';
      return isSync ? [null, failure, child()] : [null, failure, Promise.reject(new Error('an item')), child()];
    },
    words: depth === 2 ? 'text' : ['x', 'y'],
    fails: fail,
    failsStrict: failure,
    failsLater: isSync ? fail : async () => Promise.reject(new Error('later')),
    failsLaterStrict: isSync ? fail : failLater,
  };
}

const log: string[] = [];
const roots: Record<string, Record<string, (...args: never[]) => unknown>> = {
  Query: {
    node: () => createNode(3),
    strict: () => createNode(3),
    list: () => [[createNode(1, true)], null, [null], []],
  },
  Mutation: {
    first: () => new Promise((resolve) => setTimeout(() => resolve((log.push('first'), createNode(1))), 1)),
    second: (_source: unknown, { fail }: { fail?: boolean }) => {
      log.push('second');
      if (fail) throw new Error('second');
      return createNode(1);
    },
    third: () => (log.push('third'), null),
  },
};
for (const [type, fields] of Object.entries(roots)) {
  const object = schema.getType(type) as GraphQLObjectType;
  for (const [name, resolve] of Object.entries(fields)) {
    const field = object.getFields()[name];
    if (field) field.resolve = resolve as never;
  }
}

const directive = fc.oneof(
  { weight: 8, arbitrary: fc.constant('') },
  fc.constantFrom('@skip(if: $a)', '@include(if: $b)', '@include(if: $nullable)'),
);
const leaf = fc.constantFrom('word', 'number', 'number(plus: 5)', 'number(plus: $n)', 'colour', 'words', 'fails', 'failsStrict', 'missing', '__typename', 'x: word', '...Leaves'); // prettier-ignore
const branch = fc.constantFrom('later', 'laterStrict', 'nodes', 'rareNodes', 'failsLater', 'failsLaterStrict', '... on Node', '...'); // prettier-ignore

function selectionOf(depth: number): fc.Arbitrary<string> {
  const parts = fc.tuple(leaf, directive).map((pair) => pair.join(' '));
  const field =
    depth === 0
      ? parts
      : fc.oneof(
          { weight: 2, arbitrary: parts },
          fc.tuple(branch, directive, selectionOf(depth - 1)).map((triple) => triple.join(' ')),
        );
  return fc.array(field, { minLength: 1, maxLength: 4 }).map((fields) => `{ ${fields.join(' ')} }`);
}

const rootField = fc
  .tuple(fc.constantFrom('node', 'strict', 'list', 'y: node'), directive, selectionOf(3))
  .map((parts) => parts.join(' '));
const mutationField = fc
  .tuple(fc.constantFrom('first', 'second', 'second(fail: $a)', 'third'), directive, selectionOf(1))
  .map((parts) => parts.join(' '));
const several = (field: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.array(field, { minLength: 1, maxLength: 3 }).map((fields) => `{ ${fields.join(' ')} }`);

const documentOf = (body: string): string =>
  [body, 'fragment Leaves on Node { word number ...More }', 'fragment More on Node { words @include(if: $b) fails }'].join('\n'); // prettier-ignore
const anyDocument = fc
  .oneof(
    { weight: 3, arbitrary: several(rootField).map((body) => ['query', body]) },
    several(mutationField).map((body) => ['mutation', body]),
  )
  .map(([kind = '', body = '']) =>
    documentOf(`${kind}($a: Boolean!, $b: Boolean!, $nullable: Boolean = true, $n: Int) ${body}`),
  );
const anyVariables = fc.record(
  { a: fc.boolean(), b: fc.boolean(), nullable: fc.constantFrom(true, false, null), n: fc.constantFrom(3, null) },
  { requiredKeys: ['a', 'b'] },
);

/** What becomes of a result on its way to a client. */
function toPlain({ data, errors }: ExecutionResult): unknown {
  return JSON.parse(
    JSON.stringify({
      data,
      keys: JSON.stringify(data),
      errors: errors?.map(({ message, path, locations }) => ({ message, path, locations })),
      log: log.splice(0),
    }),
  );
}

// Unused variables and fragments, and a document's many small faults, are not what this is about.
const isValid = (document: ReturnType<typeof parse>): boolean =>
  validate(schema, document).every(({ message }) => message.includes('is never used'));

test(
  'a compiled operation does what graphql-js does',
  async () => {
    let [compared, withErrors] = [0, 0];
    await fc.assert(
      fc.asyncProperty(anyDocument, anyVariables, anyVariables, async (text, ...variableValues) => {
        const document = parse(text);
        fc.pre(isValid(document));
        const operation = new CompiledOperation(schema, document, undefined);
        for (const variables of [...variableValues, ...variableValues]) {
          const expected = toPlain(await execute({ schema, document, variableValues: variables }));
          const { coerced } = operation.coerce(variables);
          expect(toPlain(await operation.execute(coerced ?? {}, { textLength: 0 }))).toEqual(expected);
          compared++;
          if ((expected as ExecutionResult).errors) withErrors++;
        }
      }),
      { numRuns: RUNS },
    );
    expect(withErrors).toBeGreaterThan(compared / 20);
    expect(compared - withErrors).toBeGreaterThan(compared / 20);
  },
  60_000 + RUNS * 20,
);

test('what a schema has that is not supported is refused, not guessed', () => {
  const abstract = buildSchema('interface I { a: Int } type T implements I { a: Int } type Query { i: I }');
  const operation = new CompiledOperation(abstract, parse('{ i { a } }'), undefined);
  expect(operation.execute({}, { textLength: 0 })).toMatchObject({
    data: null,
    errors: [{ message: 'operations on the type I cannot be compiled' }],
  });
});
