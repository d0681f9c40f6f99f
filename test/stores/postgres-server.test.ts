import { setTimeout as sleep } from 'node:timers/promises';
import { openSource, openStore } from '../../src/stores/open-store.ts';
import { createMessage, type StoredMessage } from '../../src/messages/message.ts';
import { expectWithin } from '../support/expect-within.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { startFollower, startPostgres, usePostgres } from '../support/postgres.ts';
import { startService } from '../support/service.ts';
import { readStored, store } from '../support/stored.ts';

const postgres = usePostgres({ shared_preload_libraries: 'pg_stat_statements' });

afterEach(disposeLeftovers);

async function openFailure(url: string): Promise<string> {
  const opened = openStore({ kind: 'postgres', url });
  return opened.then(
    (store) => store.close().then(() => 'it opened'),
    (error: unknown) => (error as Error).message,
  );
}

test.each([
  ['fsync', 'off'],
  ['synchronous_commit', 'off'],
])('a server with %s=%s, which may lose what it acknowledged, is refused by that name', async (name, value) => {
  await postgres().configure({ [name]: value });
  try {
    expect(await openFailure(await postgres().createDatabase())).toContain(`${name}=${value}`);
  } finally {
    await postgres().configure({ [name]: 'on' });
  }
});

test('a follower in the place of the primary is refused', async () => {
  const url = await postgres().createDatabase();
  await (await openStore({ kind: 'postgres', url })).close();
  const follower = await startFollower(postgres());
  expect(await openFailure(url.replace(`:${postgres().port}/`, `:${follower.port}/`))).toContain('read-only follower');
});

test('a server that is not there, a wrong password, an unknown database: said without the password', async () => {
  const { url } = postgres();
  const { password } = new URL(url);
  const [refused, denied, absent] = await Promise.all([
    openFailure(url.replace(/:\d+\//, ':1/')),
    openFailure(url.replace(password, 'wrong')),
    openFailure(url.replace(/\w+$/, 'absent')),
  ]);
  expect(refused).toBe('the database postgres://127.0.0.1:1/hashpost cannot be used: connect ECONNREFUSED 127.0.0.1:1');
  expect(denied).toContain('password authentication failed');
  expect(absent).toContain('database "absent" does not exist');
  expect([refused, denied, absent].join()).not.toMatch(new RegExp(`${password}|wrong`));
});

test('a schema of a newer program is refused', async () => {
  const url = await postgres().createDatabase();
  await (await openStore({ kind: 'postgres', url })).close();
  await postgres().psqlOn(new URL(url).pathname.slice(1), 'UPDATE hashpost_schema SET version = 99');
  expect(await openFailure(url)).toContain(
    'its schema has version 99, this program knows up to 1: run a newer Hashpost',
  );
});

test('the lookups of one GraphQL request are one statement', async () => {
  const { client } = await startService({
    env: { DATABASE_URL: await postgres().createDatabase(), MESSAGE_CACHE_BYTES: '0' },
  });
  const texts = Array.from({ length: 20 }, (_, index) => `text ${index}`);
  const shas = texts.map((text) => createMessage(text, 100, 0).sha);
  await Promise.all(texts.map((message) => client.post('/messages', JSON.stringify({ message }))));
  await postgres().psql('CREATE EXTENSION pg_stat_statements', 'SELECT pg_stat_statements_reset()');
  const fields = shas.map((sha, index) => `m${index}: messageBySha(sha: "${sha}") { text }`);
  // Three times, because the first goes another way than those that follow.
  for (let times = 1; times <= 3; times++) {
    const { data } = (await client.graphql(`{ ${fields.join(' ')} }`)).json as {
      data: Record<string, { text: string }>;
    };
    expect(Object.values(data).map(({ text }) => text)).toEqual(texts);
    const count = await postgres().psql(`SELECT sum(calls) FROM pg_stat_statements WHERE query LIKE '%sha = ANY%'
      AND query NOT LIKE '%pg_stat%'`);
    expect(Number(count)).toBe(times);
  }
});

test('however many ask whether the service is ready, the server sees few connections', async () => {
  const url = await postgres().createDatabase();
  const database = new URL(url).pathname.slice(1);
  const { client } = await startService({ env: { DATABASE_URL: url } });
  const sessions = async (): Promise<number> => {
    await sleep(1500); // Until the server has counted them.
    const count = `SELECT sessions FROM pg_stat_database WHERE datname = '${database}'`;
    return Number(await postgres().psqlOn('postgres', count));
  };
  const before = await sessions();
  const answers = await Promise.all(Array.from({ length: 200 }, () => client.get('/health/ready')));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect((await sessions()) - before).toBeLessThan(20);
});

test('a server that has no room for one connection more is not taken for down: those that are there go on', async () => {
  const full = await startPostgres({ max_connections: '8' });
  const { client, log } = await startService({ env: { DATABASE_URL: full.url, MESSAGE_CACHE_BYTES: '0' } });
  const lookUp = async (index: number): Promise<number> =>
    (await client.get(`/messages/${createMessage(`${index}`, 100, 0).sha}`)).status;
  const statuses = new Set<number>();
  // Until the pool has once wanted more than there is.
  await expectWithin(20_000, async () => {
    // While the table is locked each batch of lookups keeps its connection, so that the next one wants another.
    const locked = full.psql('BEGIN; LOCK TABLE message; SELECT pg_sleep(0.3); COMMIT');
    const atOnce = Array.from({ length: 100 }, (_, index) => sleep(index * 3).then(() => lookUp(index)));
    for (const status of await Promise.all(atOnce)) statuses.add(status);
    await locked;
    return statuses.has(503);
  });
  expect(statuses).toEqual(new Set([404, 503]));
  for (let index = 0; index < 50; index++) expect(await lookUp(index)).toBe(404);
  expect((await client.get('/health/ready')).status).toBe(200);
  expect(log()).not.toContain('is down');
});

test.each([
  ['read-only', 'ALTER DATABASE $ SET default_transaction_read_only = on'],
  ['without its row of the list', 'DELETE FROM message_list'],
  ['with a list that lacks messages', 'INSERT INTO message VALUES (1, sha256($$x$$), 0, $$x$$)'],
  ['without its tables', 'DROP TABLE message'],
])('a database %s: alive, but not ready', async (_, statement) => {
  const url = await postgres().createDatabase();
  const name = new URL(url).pathname.slice(1);
  const { client } = await startService({ env: { DATABASE_URL: url } });
  expect((await client.get('/health/ready')).status).toBe(200);
  await postgres().psqlOn(name, statement.replace('DATABASE $', `DATABASE ${name}`));
  await expectWithin(5000, async () => (await client.get('/health/ready')).status === 503);
  expect((await client.get('/health')).status).toBe(200);
});

test('messages without their list, as a restore of the data alone leaves them, are no shorter list; a start restores it', async () => {
  const url = await postgres().createDatabase();
  const name = new URL(url).pathname.slice(1);
  const location = { kind: 'postgres', url } as const;
  const messages = ['a', 'b', 'c'].map((text) => createMessage(text, 100, 0));
  await store(url, messages.slice(0, 2));
  for (const statement of ['UPDATE message_list SET last_seq = 1', 'DELETE FROM message_list']) {
    await postgres().psqlOn(name, statement);
    await expect(openSource(location)).rejects.toThrow('message_list lacks messages');
    await store(url, messages.slice(2));
    expect(await readStored(url)).toEqual(messages);
  }
});

test.each(['fsync', 'synchronous_commit'])(
  '%s that is turned off under the service: nothing more is acknowledged',
  async (name) => {
    const { client } = await startService({ env: { DATABASE_URL: await postgres().createDatabase() } });
    const post = async (message: string): Promise<number> =>
      (await client.post('/messages', JSON.stringify({ message }))).status;
    expect(await post('before')).toBe(201);
    try {
      await postgres().configure({ [name]: 'off' });
      let index = 0;
      await expectWithin(5000, async () => (await post(`${index++}`)) === 503);
      for (let after = 0; after < 10; after++) expect(await post('the same again')).toBe(503);
    } finally {
      await postgres().configure({ [name]: 'on' });
    }
    await expectWithin(5000, async () => (await post('again')) === 201);
  },
);

test('a follower of another store is said to be down, and shows nothing', async () => {
  const [mine, other] = [await postgres().createDatabase(), await postgres().createDatabase()];
  const [foo, bar] = ['foo', 'bar'].map((text) => createMessage(text, 100, 0)) as [StoredMessage, StoredMessage];
  await store(mine, [foo]);
  await store(other, [bar]);
  const { client, log } = await startService({ env: { DATABASE_URL: mine, READ_DATABASE_URLS: other } });
  expect((await client.get(`/messages/${bar.sha}`)).status).toBe(404);
  expect((await client.get(`/messages/${foo.sha}`)).status).toBe(200);
  await expectWithin(5000, () => log().includes('it has the messages of another store'));
});

test('a follower that has no messages is said to be down, and is left alone', async () => {
  const unrelated = await postgres().createDatabase();
  const { client, log } = await startService({
    env: {
      DATABASE_URL: await postgres().createDatabase(),
      READ_DATABASE_URLS: unrelated,
      MESSAGE_CACHE_BYTES: '0',
    },
  });
  await client.post('/messages', '{"message":"foo"}');
  const { sha } = createMessage('foo', 100, 0);
  for (let index = 0; index < 20; index++) expect((await client.get(`/messages/${sha}`)).status).toBe(200);
  await expectWithin(5000, () => log().includes('it shows no messages: relation'));
});
