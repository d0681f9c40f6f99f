import type { Answer, Client } from '../support/client.ts';
import { shaOf } from '../../src/messages/message.ts';
import { expectWithin } from '../support/expect-within.ts';
import { listOf, startInstance } from '../support/instance.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { startFollower, startPostgres, type Postgres } from '../support/postgres.ts';
import { addMessage, get, messageBySha, post } from '../support/requests.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

const LAG_MS = 10_000;
/** What any answer may take, with what a busy machine may add. */
const ANSWER_MS = 3_000;
const LIMIT_MS = 20_000;

let pair: Pair;
beforeAll(async () => {
  pair = await startPair();
}, 60_000);
afterAll(disposeLeftovers);

interface Pair {
  readonly primary: Postgres;
  readonly follower: Postgres;
  /** Between the services and the follower. */
  readonly proxy: TcpProxy;
  readonly clients: readonly [Client, Client];
}

/** Two services that share a primary and a follower, which have one message, `old`. */
async function startPair(): Promise<Pair> {
  const primary = await startPostgres();
  const follower = await startFollower(primary);
  const proxy = await startTcpProxy(follower.port);
  const env = { DATABASE_URL: primary.url, READ_DATABASE_URLS: proxy.through(follower.url) };
  const [one, two] = await Promise.all([startInstance(env), startInstance(env)]);
  await post(one.client, 'old');
  await follower.waitFor("SELECT 1 WHERE to_regclass('message') IS NOT NULL");
  await follower.waitFor('SELECT 1 FROM message');
  return { primary, follower, proxy, clients: [one.client, two.client] };
}

/** Asks for what is there, through both doors; nothing else than a right answer will do. */
async function expectFound(clients: readonly Client[], text: string): Promise<void> {
  for (const client of clients) {
    const begun = performance.now();
    expect(await get(client, text)).toMatchObject({ status: 200, json: { message: text } });
    expect(await messageBySha(client, text)).toMatchObject({ json: { data: { messageBySha: { text } } } });
    expect(performance.now() - begun).toBeLessThan(2 * ANSWER_MS);
  }
}

const messages = (client: Client, args: string): Promise<Answer> =>
  client.graphql(`{ messages(${args}) { nodes { sha } } }`);

test('a follower that is 10 s behind: what was just posted is found and listed, by whoever asks', async () => {
  const { follower, clients } = pair;
  await follower.setApplyDelay(LAG_MS);
  const begun = performance.now();
  const known = ['old'];
  for (let index = 0; performance.now() - begun < LAG_MS / 2; index++) {
    const text = `new ${index}`;
    await (index % 4 < 2 ? post : addMessage)(clients[index % 2 ? 0 : 1], text);
    await expectFound(clients, text);
    const previous = shaOf(known.at(-1) ?? '');
    known.push(text);
    const shas = known.map(shaOf);
    for (const client of clients) {
      expect(await listOf(client)).toEqual(shas);
      expect((await client.get(`/messages?limit=10&after=${previous}`)).json).toEqual({ digestList: [shaOf(text)] });
      const newest = { data: { messages: { nodes: [{ sha: shaOf(text) }] } } };
      expect((await messages(client, 'last: 1')).json).toEqual(newest);
      expect((await messages(client, `first: 10, after: "${previous}"`)).json).toEqual(newest);
    }
  }
  // All of that before the follower showed any of it.
  expect(await follower.psql('SELECT count(*) FROM message')).toBe('1');
  console.info(`${known.length - 1} messages were posted, found and listed before the follower had one`);
  await follower.setApplyDelay(0);
}, 60_000);

test('lookups are answered by the follower, also of a message that the primary does not show any more', async () => {
  const { primary, follower, clients } = pair;
  await post(clients[0], 'gone');
  await follower.waitFor("SELECT 1 FROM message WHERE content = 'gone'");
  await follower.setApplyDelay(60_000);
  await primary.psql("DELETE FROM message WHERE content = 'gone'");
  await expectFound(clients, 'gone');
  await follower.setApplyDelay(0);
}, 60_000);

test('a 404 may not be kept, and does not outlive the message that it denied', async () => {
  const { clients } = pair;
  for (const client of clients) {
    const denied = await get(client, 'later');
    expect([denied.status, denied.headers['cache-control']]).toEqual([404, 'no-store']);
  }
  await post(clients[0], 'later');
  await expectFound(clients, 'later');
}, 60_000);

interface Failure {
  readonly begin: (pair: Pair) => unknown;
  readonly end: (pair: Pair) => unknown;
}

const failures: Record<string, Failure> = {
  'is stopped': { begin: ({ follower }) => follower.stop('immediate'), end: ({ follower }) => follower.start() },
  'is killed': { begin: ({ follower }) => follower.kill(), end: ({ follower }) => follower.start() },
  'is behind a black hole': { begin: ({ proxy }) => proxy.blackHole(true), end: ({ proxy }) => proxy.blackHole(false) },
  'resets connections': {
    begin: ({ proxy, primary }) => proxy.retarget(primary.port + 1),
    end: ({ proxy, follower }) => proxy.retarget(follower.port),
  },
  'is locked': {
    // A lock is followed at once, but it ends with its commit, for which the follower waits.
    begin: async ({ primary, follower }) => {
      await follower.setApplyDelay(60_000);
      await primary.psql('BEGIN; SELECT txid_current(); LOCK TABLE message; COMMIT');
      await follower.waitFor("SELECT 1 FROM pg_locks WHERE relation = 'message'::regclass AND mode ILIKE '%AccessEx%'");
    },
    end: ({ follower }) => follower.setApplyDelay(0),
  },
};

/** Sessions of the service on the follower that have done something just now. */
const READERS = `SELECT 1 FROM pg_stat_activity WHERE application_name = 'hashpost'
  AND state_change > clock_timestamp() - interval '1 s'`;

test.each(Object.entries(failures))(
  'a follower that %s costs no answer, and is asked again later',
  async (name, failure) => {
    const { follower, clients } = pair;
    await failure.begin(pair);
    for (let index = 0; index < 5; index++) {
      await expectFound(clients, 'old');
      await post(clients[0], `${name} ${index}`);
      await expectFound(clients, `${name} ${index}`);
    }
    await failure.end(pair);
    await expectWithin(LIMIT_MS, async () => {
      await expectFound(clients, 'old');
      return (await follower.psql(READERS)) !== '';
    });
  },
  90_000,
);

test('a follower that cancels queries and ends sessions costs no answer either', async () => {
  const { follower, clients } = pair;
  const over = new AbortController();
  const ending = (async () => {
    for (let round = 0; !over.signal.aborted; round++) {
      const end = round % 2 ? 'pg_cancel_backend' : 'pg_terminate_backend';
      await follower.psql(`SELECT ${end}(pid) FROM pg_stat_activity WHERE usename = 'hashpost'`);
    }
  })();
  const begun = performance.now();
  while (performance.now() - begun < 2_000) await expectFound(clients, 'old');
  over.abort();
  await ending;
}, 60_000);
