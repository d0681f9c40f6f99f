import { DatabaseSync } from 'node:sqlite';
import { AppError, errorTable, type ErrorCode, type ErrorRow } from '../src/errors.ts';
import type { Answer } from './support/client.ts';
import { faultyStore } from './support/faulty-store.ts';
import { disposeLeftovers, temporaryFolder } from './support/leftovers.ts';
import { startService, type Service } from './support/service.ts';

afterEach(disposeLeftovers);

const SHA = '2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae';
const SECRET = 'SELECT text FROM message WHERE path = /etc/shadow -- CANARY';

/** A service whose lookups fail with what the test says at the time. */
async function failingService(thrown: () => unknown): Promise<Service> {
  const find = (): Promise<never> => Promise.reject(thrown());
  return startService({ overrides: { decorateStore: faultyStore({ find }) } });
}

const lookUp = (service: Service): Promise<Answer> => service.client.graphql(`{ messageBySha(sha: "${SHA}") { sha } }`);

test('every code of the table comes out of both doors with its sentence and status', async () => {
  let code: ErrorCode = 'INTERNAL';
  const service = await failingService(() => new AppError(code));
  for (code of Object.keys(errorTable) as ErrorCode[]) {
    const { status, sentence, retryAfter }: ErrorRow = errorTable[code];
    const rest = await service.client.get(`/messages/${SHA}`);
    expect(rest).toMatchObject({ status, json: { error: sentence, code, requestId: rest.headers['x-request-id'] } });
    expect(rest.headers['retry-after']).toBe(retryAfter?.toString());
    const graphql = await lookUp(service);
    const extensions = { code, retryAfter, requestId: graphql.headers['x-request-id'] };
    expect(graphql.json).toEqual({
      data: { messageBySha: null },
      errors: [{ message: sentence, path: ['messageBySha'], locations: expect.any(Array) as unknown, extensions }],
    });
  }
});

test.each([
  new Error(SECRET),
  SECRET,
  undefined,
  null,
  { message: SECRET },
  Object.assign(new TypeError(SECRET), { body: SECRET, status: 200 }),
])('whatever else is thrown (%#) is INTERNAL, logged once under its id, and says nothing outside', async (thrown) => {
  const service = await failingService(() => thrown);
  const answers = [await service.client.get(`/messages/${SHA}`), await lookUp(service)];
  expect(answers.map(({ status }) => status)).toEqual([500, 200]);
  for (const answer of answers) {
    const id = answer.headers['x-request-id'];
    expect(answer.text).toContain('"INTERNAL"');
    expect(answer.text).not.toContain('CANARY');
    expect(service.logLines().filter(({ requestId, level }) => requestId === id && level === 50)).toHaveLength(1);
  }
  expect(service.log()).not.toContain('CANARY');
});

test.each([
  `UPDATE message SET content = CAST('fop' AS BLOB)`,
  `UPDATE message SET content = CAST('' AS BLOB)`,
  `UPDATE message SET content = CAST('foo ' AS BLOB)`,
])('a stored text that rotted is never served, by any way: %s', async (damage) => {
  const path = `${temporaryFolder()}/x.db`;
  const { client, log } = await startService({ env: { DATABASE_URL: `file:${path}` } });
  await client.post('/messages', '{"message":"foo"}');
  const db = new DatabaseSync(path);
  db.exec(damage);
  db.close();
  for (const answer of [await client.get(`/messages/${SHA}`), await client.post('/messages', '{"message":"foo"}')]) {
    expect(answer).toMatchObject({ status: 500, json: { code: 'INTEGRITY_ERROR' } });
  }
  for (const query of [
    `{ messageBySha(sha: "${SHA}") { text } }`,
    '{ messages { nodes { text } } }',
    'mutation { addMessage(text: "foo") { text } }',
  ]) {
    expect((await client.graphql(query)).json).toMatchObject({ errors: [{ extensions: { code: 'INTEGRITY_ERROR' } }] });
  }
  expect(log()).toContain('INTEGRITY_ERROR');
});

test('a store that fails in the middle of the list cuts the connection, so that no half of it looks whole', async () => {
  const shas = async function* (): AsyncGenerator<never> {
    yield [SHA] as never;
    await Promise.resolve();
    throw new AppError('STORE_UNAVAILABLE', undefined, { cause: new Error('gone') });
  };
  const { client, log } = await startService({ overrides: { decorateStore: faultyStore({ shas }) } });
  await expect(client.get('/messages')).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(log()).toContain('STORE_UNAVAILABLE');
});

test('a store that fails before the list begins is told by a status', async () => {
  const shas = async function* (): AsyncGenerator<never> {
    await Promise.resolve();
    throw new AppError('STORE_BUSY');
  };
  const { client } = await startService({ overrides: { decorateStore: faultyStore({ shas }) } });
  expect(await client.get('/messages')).toMatchObject({ status: 503, json: { code: 'STORE_BUSY' } });
});

test('a store that does not answer makes the service not ready, but alive', async () => {
  const ping = (): Promise<never> => Promise.reject(new AppError('STORE_UNAVAILABLE'));
  const { client } = await startService({ overrides: { decorateStore: faultyStore({ ping }) } });
  expect(await client.get('/health/ready')).toMatchObject({ status: 503, json: { code: 'STORE_UNAVAILABLE' } });
  expect(await client.get('/health')).toMatchObject({ status: 200, json: { status: 'ok' } });
});
