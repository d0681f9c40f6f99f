import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Client } from '../support/client.ts';
import { expectWithin } from '../support/expect-within.ts';
import { isRefusal, startInstance, type Instance } from '../support/instance.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { startFollower, startPostgres, usePostgres, type Postgres } from '../support/postgres.ts';
import { addMessage, get, messageBySha, post } from '../support/requests.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

/** PG_GONE_SECONDS=30 for a campaign. */
const GONE_SECONDS = Number(process.env['PG_GONE_SECONDS'] ?? 4);
const REQUESTS_PER_SECOND = 200;

/** Within this every request is answered, and the service is itself again when the database is. */
const ANSWER_MS = 2_000;
/** What a busy machine may take on top; the figures are printed. */
const SLACK_MS = 3_000;
const LIMIT_MS = 20_000;
/** What is refused without asking the database takes no time; on a busy machine, far less than asking. */
const AT_ONCE_MS = 500;
const CONNECTIONS = 100;

/** For the tests that leave it as it was. */
const shared = usePostgres();
afterEach(disposeLeftovers);

interface Proxied {
  readonly postgres: Postgres;
  readonly proxy: TcpProxy;
  readonly service: Instance;
  readonly client: Client;
}

/** A service that reaches its database through a network that fails on demand. */
async function startProxied(postgres: Postgres): Promise<Proxied> {
  const proxy = await startTcpProxy(postgres.port);
  const service = await startInstance({ DATABASE_URL: proxy.through(postgres.url) });
  const { client } = service;
  await post(client, 'known');
  // Opens connections, which takes a busy machine a while.
  await expectWithin(LIMIT_MS, async () => (await sendAtOnce(client, CONNECTIONS)).every(isRight));
  return { postgres, proxy, service, client };
}

/** Requests of every kind; what they look for is there. */
const kinds = [
  (client: Client, index: number) => post(client, `new ${index}`),
  (client: Client) => get(client, 'known'),
  (client: Client, index: number) => addMessage(client, `new too ${index}`),
  (client: Client) => messageBySha(client, 'known'),
  (client: Client) => client.get('/messages?limit=10'),
];
const requestOf = (client: Client, index: number): Promise<Answer> =>
  (kinds[index % kinds.length] as (typeof kinds)[0])(client, index);

/** Whether it is the answer to one of `kinds` when all is well. */
const isRight = ({ status, text }: Answer): boolean => (status === 200 || status === 201) && !text.includes('"code"');

/** Sends at a steady rate, whether or not answers come; resolves when all have come. */
async function sendSteadily(client: Client, seconds: number): Promise<Answer[]> {
  const begun = performance.now();
  const answers: Promise<Answer>[] = [];
  for (let index = 0; index < seconds * REQUESTS_PER_SECOND; index++) {
    const early = begun + (index * 1000) / REQUESTS_PER_SECOND - performance.now();
    if (early > 0) await sleep(early);
    answers.push(requestOf(client, index));
  }
  return Promise.all(answers);
}

/** Sends all at once; the first time, this opens the connections. */
const sendAtOnce = (client: Client, count: number): Promise<Answer[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => requestOf(client, index)));

interface Measured {
  /** Which kinds of answer came: right, refused, or what they said. */
  readonly outcomes: string[];
  /** Milliseconds by the service's own clock, shortest first: the client may be slow, on a busy machine. */
  readonly times: number[];
}

async function measure(service: Instance, send: Promise<Answer[]>): Promise<Measured> {
  const answers = await send;
  const readTimes = (): number[] => {
    const line = /"requestId":"([^"]+)"[^\n]*"durationMs":([\d.]+)/g;
    const logged = new Map([...service.stdout().matchAll(line)].map(([, id, ms]) => [id, Number(ms)]));
    return answers.flatMap(({ headers }) => logged.get(String(headers['x-request-id'])) ?? []);
  };
  await expectWithin(LIMIT_MS, () => readTimes().length === answers.length);
  return { outcomes: outcomesOf(answers), times: readTimes().sort((a, b) => a - b) };
}

const outcomesOf = (answers: readonly Answer[]): string[] => [...new Set(answers.map(outcomeOf))];

function outcomeOf(answer: Answer): string {
  if (isRefusal(answer)) return 'refused';
  return isRight(answer) ? 'right' : `${answer.status} ${answer.text}`;
}

const quantile = (times: readonly number[], share: number): number =>
  times[Math.floor((times.length - 1) * share)] ?? NaN;

function describeTimes(times: readonly number[]): string {
  const [median, p90, p99, max] = [0.5, 0.9, 0.99, 1].map((share) => quantile(times, share).toFixed(1));
  return `${times.length} answers: median ${median} ms, p90 ${p90} ms, p99 ${p99} ms, slowest ${max} ms`;
}

const outages: [string, (proxied: Proxied) => Promise<void> | void, (proxied: Proxied) => Promise<void> | void][] = [
  ['behind a black hole', ({ proxy }) => proxy.blackHole(true), ({ proxy }) => proxy.blackHole(false)],
  ['stopped', ({ postgres }) => postgres.stop('immediate'), ({ postgres }) => postgres.start()],
];

test.each(outages)(
  `the database is %s for ${GONE_SECONDS} s: every answer within 2 s, soon at once, and normal again`,
  async (name, begin, end) => {
    const proxied = await startProxied(await startPostgres());
    const { service, client } = proxied;
    await begin(proxied);
    const first = await measure(service, sendSteadily(client, ANSWER_MS / 1000));
    const errors = (): number => service.stdout().split('"msg":"STORE_UNAVAILABLE"').length;
    const told = errors();
    const later = await measure(service, sendSteadily(client, GONE_SECONDS));
    // Why is known by now, and is not told for every request.
    expect(errors()).toBe(told);
    console.info(`${name}, at first ${describeTimes(first.times)}; then ${describeTimes(later.times)}`);
    expect([...first.outcomes, ...later.outcomes]).toEqual(['refused', 'refused']);
    expect(quantile(first.times, 1)).toBeLessThan(ANSWER_MS + SLACK_MS);
    expect(quantile(later.times, 0.5)).toBeLessThan(AT_ONCE_MS);
    await end(proxied);
    const back = await expectWithin(ANSWER_MS + SLACK_MS, async () => isRight(await post(client, 'back')));
    console.info(`${name}, answered again after ${back.toFixed()} ms`);
    expect(outcomesOf(await sendSteadily(client, 1))).toEqual(['right']);
    expect(service.child.exitCode).toBeNull();
    const states = service.stdout().match(/the database server is (down|well again)/g);
    expect(states).toEqual(['the database server is down', 'the database server is well again']);
  },
  60_000 + GONE_SECONDS * 1000,
);

describe.each(['before', 'after'] as const)('the connection is cut right %s the commit', (side) => {
  test('503; the retry is a success, and there is one row', async () => {
    const { postgres, proxy, client } = await startProxied(shared());
    const text = `committed, and cut ${side}`;
    const cut = proxy.cutWhen((bytes) => bytes.includes(text), side);
    const first = post(client, text);
    await cut;
    expect(isRefusal(await first)).toBe(true);
    expect(await countOf(text, postgres)).toBe(side === 'after' ? '1' : '0');
    expect(await post(client, text)).toMatchObject({ status: 201 });
    expect(await countOf(text, postgres)).toBe('1');
  }, 60_000);
});

/** How many messages are like the pattern. */
const countOf = (pattern: string, postgres: Postgres): Promise<string> =>
  postgres.psql(`SELECT count(*) FROM message WHERE content LIKE '${pattern}'`);

test('a table that is locked, and a pool that is exhausted by it: 503 within 2 s, and nothing is left behind', async () => {
  const { postgres, service, client } = await startProxied(shared());
  for (let round = 0; round < 2; round++) {
    const release = await lockTable(postgres);
    const { outcomes, times } = await measure(service, sendAtOnce(client, CONNECTIONS));
    console.info(`locked: ${describeTimes(times)}`);
    expect(outcomes).toEqual(['refused']);
    expect(quantile(times, 1)).toBeLessThan(ANSWER_MS + SLACK_MS);
    await release();
    await expectWithin(ANSWER_MS + SLACK_MS, async () => isRight(await post(client, 'free again')));
    expect(outcomesOf(await sendSteadily(client, 1))).toEqual(['right']);
    await postgres.waitFor(`SELECT 1 WHERE NOT EXISTS (${BUSY})`);
  }
}, 60_000);

/** Sessions of the service that have not finished what they did. */
const BUSY = `SELECT FROM pg_stat_activity WHERE usename = 'hashpost' AND state <> 'idle'`;

/** Keeps everybody from the messages until told to release them. */
async function lockTable(postgres: Postgres): Promise<() => Promise<void>> {
  const held = postgres.psql('BEGIN; LOCK TABLE message; SELECT pg_sleep(60)').catch(() => undefined);
  await postgres.waitFor(`SELECT 1 FROM pg_locks WHERE relation = 'message'::regclass
    AND mode = 'AccessExclusiveLock' AND granted`);
  return async () => {
    await postgres.psql(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'message'::regclass
      AND mode = 'AccessExclusiveLock' AND granted`);
    await held;
  };
}

test('what the synchronous follower does not confirm, or is asked as a standby, is not acknowledged', async () => {
  const { postgres, proxy, service, client } = await startProxied(await startPostgres());
  const follower = await startFollower(postgres, { synchronous: true });
  await follower.stop();
  for (let index = 0; index < 5; index++) {
    const { outcomes, times } = await measure(service, Promise.all([post(client, 'unconfirmed')]));
    expect(outcomes).toEqual(['refused']);
    expect(quantile(times, 1)).toBeLessThan(ANSWER_MS + SLACK_MS);
  }
  await follower.start();
  await expectWithin(ANSWER_MS + SLACK_MS, async () => isRight(await post(client, 'unconfirmed')));
  expect(await countOf('unconfirmed', postgres)).toBe('1');
  await follower.waitFor("SELECT 1 FROM message WHERE content = 'unconfirmed'");

  proxy.retarget(follower.port);
  for (let index = 0; index < 20; index++) {
    expect(outcomeOf(await post(client, `refused ${index}`))).toBe('refused');
    expect(outcomeOf(await addMessage(client, `refused too ${index}`))).toBe('refused');
    await sleep(50);
  }
  await follower.promote();
  await expectWithin(ANSWER_MS + SLACK_MS, async () => isRight(await post(client, 'taken')));
  expect(await countOf('refused%', follower)).toBe('0');
}, 60_000);

test('sessions that turn read-only (25006) under the service are not kept', async () => {
  const { postgres, client } = await startProxied(shared());
  await postgres.configure({ default_transaction_read_only: 'on' });
  await expectWithin(LIMIT_MS, async () => isRefusal(await post(client, `refused ${performance.now()}`)));
  for (let index = 0; index < 5; index++) expect(isRefusal(await post(client, `refused ${index}`))).toBe(true);
  await postgres.configure({ default_transaction_read_only: 'off' });
  await expectWithin(ANSWER_MS + SLACK_MS, async () => isRight(await post(client, 'taken')));
}, 60_000);

test('a list that the death of the database cuts does not look whole, and the next one is', async () => {
  const { postgres, service, client } = await startProxied(await startPostgres());
  // More than all buffers on the way to the client hold.
  await postgres.psql(
    `INSERT INTO message SELECT seq, sha256(seq::text::bytea), 0, seq::text::bytea
    FROM generate_series(1000, 150000) AS seq`,
    'UPDATE message_list SET last_seq = 150000',
  );
  const outgoing = httpsRequest(new URL('/messages', client.url), { agent: client.agent }).end();
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  await postgres.kill();
  await expect(text(incoming)).rejects.toMatchObject({ code: 'ECONNRESET' });
  await postgres.start();
  await expectWithin(ANSWER_MS + SLACK_MS, async () => isRight(await post(client, 'back')));
  const { digestList } = (await client.get('/messages')).json as { digestList: string[] };
  expect(digestList.length).toBeGreaterThan(149_000);
  expect(service.child.exitCode).toBeNull();
}, 60_000);
