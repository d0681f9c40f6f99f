import 'reflect-metadata';
import { buildSchema, parse, printSchema, type GraphQLSchema } from 'graphql';
import { Extensions, Field, ObjectType, Query, Resolver } from 'type-graphql';
import { createApollo } from '../../src/graphql/apollo.ts';
import { CompiledOperation } from '../../src/graphql/compiled/compiled-operation.ts';
import { CompiledOperations } from '../../src/graphql/compiled/operations.ts';
import { createSchema } from '../../src/graphql/schema.ts';
import { createLog } from '../../src/observability/logger.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { shaOf } from '../support/operations.ts';
import { faultyStore } from '../support/faulty-store.ts';
import { startService } from '../support/service.ts';

afterEach(disposeLeftovers);

const { logger } = createLog('silent', { write: () => undefined });
const startApollo = (schema: GraphQLSchema) =>
  createApollo({ schema, logger, operations: new CompiledOperations(), answerLimit: 1000 });

test.each([
  ['an interface', 'interface Named { name: String } type Person implements Named { name: String } type Query { a: Named }', 'Named'], // prettier-ignore
  ['a union', 'type A { a: Int } type B { b: Int } union Either = A | B type Query { a: Either }', 'Either'],
])('a schema with %s is refused at the start, by the name of the type', async (_, sdl, name) => {
  await expect(startApollo(buildSchema(sdl))).rejects.toThrow(`the schema's type ${name} cannot be compiled`);
});

test('a subscription is never run as a query', async () => {
  const schema = buildSchema('type Query { a: Int } type Subscription { b: Int }');
  expect(() => new CompiledOperation(schema, parse('subscription { b }'), undefined)).toThrow(
    'a subscription is a stream',
  );
  const apollo = await startApollo(schema);
  const { body } = await apollo.executeOperation(
    { query: 'subscription { b }' },
    { contextValue: { request: { noteError: () => undefined } } as never },
  );
  await apollo.stop();
  expect(body).toMatchObject({ singleResult: { errors: [{ message: 'Subscriptions are not served here.' }] } });
});

@ObjectType()
class Weather {
  @Field(() => String)
  sky!: string;

  @Field(() => String)
  @Extensions({ isText: true })
  report!: string;
}

@Resolver()
class WeatherResolver {
  @Query(() => Weather)
  weather(): Weather {
    return Object.assign(new Weather(), { sky: 'blue', report: 'x'.repeat(10) });
  }
}

@Resolver()
class TimeResolver {
  @Query(() => String)
  time(): string {
    return 'noon';
  }
}

test('a schema may be made of several resolvers', async () => {
  const schema = createSchema([new WeatherResolver(), new TimeResolver()]);
  expect(printSchema(schema)).toMatch(/weather: Weather![^]*time: String!/);
  const operation = new CompiledOperation(schema, parse('{ time weather { sky } }'), undefined);
  expect(await operation.execute({}, { textLength: 0 })).toEqual({ data: { time: 'noon', weather: { sky: 'blue' } } });
});

test('texts are counted by the field that has them, as often as they are selected, whatever its resolver does', async () => {
  const schema = createSchema([new WeatherResolver(), new TimeResolver()]);
  for (const [query, textLength] of [
    ['{ weather { sky } }', 0],
    ['{ weather { report } }', 10],
    ['{ a: weather { report x: report } b: weather { report } }', 30],
  ] as const) {
    const context = { textLength: 0 };
    await new CompiledOperation(schema, parse(query), undefined).execute({}, context);
    expect([query, context.textLength]).toEqual([query, textLength]);
  }
});

test('texts are read only for operations that select a field made from them, under whatever name and in fragments', async () => {
  let [pages, summaries] = [0, 0];
  const { client } = await startService({
    overrides: {
      decorateStore: (store) =>
        faultyStore({
          page: (...args) => (pages++, store.page(...args)),
          summaryPage: (request) => (summaries++, store.summaryPage(request)),
        })(store),
    },
  });
  await client.post('/messages', '{"message":"foo"}');
  for (const query of [
    '{ messages { nodes { text: sha } } }',
    '{ messages { edges { cursor node { bytes } } } }',
    'query text { messages { ...F } } fragment F on MessageConnection { nodes { sha } }',
  ]) {
    await client.graphql(query);
  }
  expect([pages, summaries]).toEqual([0, 3]);
  for (const query of [
    '{ messages { nodes { sha: text } } }',
    '{ messages { edges { node { ...F } } } } fragment F on Message { ... { text } }',
  ]) {
    expect((await client.graphql(query)).text).toContain('"foo"');
  }
  expect([pages, summaries]).toEqual([2, 3]);
  expect((await client.graphql(`{ messageBySha(sha: "${shaOf('foo')}") { text } }`)).text).toContain('"foo"');
});
