import { shaOf } from '../../src/messages/message.ts';
import type { Client } from '../support/client.ts';
import { listOf, startInstance, type Instance } from '../support/instance.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { usePostgres } from '../support/postgres.ts';
import { spawnService } from '../support/process.ts';
import { post } from '../support/requests.ts';
import { createTestCertificate, settingsFor } from '../support/service.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { WriteLoad } from '../support/write-load.ts';

/** PG_PAGE_SECONDS=60 for a campaign. */
const SECONDS = Number(process.env['PG_PAGE_SECONDS'] ?? 4);
const WRITERS = 8;
const READERS = 4;

const postgres = usePostgres();
afterEach(disposeLeftovers);

test('instances that start together on an empty database agree on it', async () => {
  const DATABASE_URL = await postgres().createDatabase();
  const instances = await Promise.all(Array.from({ length: 4 }, () => startInstance({ DATABASE_URL })));
  const texts = instances.map((_, index) => `from ${index}`);
  const answers = await Promise.all(instances.map(({ client }, index) => post(client, texts[index] ?? '')));
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
  const lists = await Promise.all(instances.map(({ client }) => listOf(client)));
  expect(new Set(lists[0])).toEqual(new Set(texts.map(shaOf)));
  for (const list of lists) expect(list).toEqual(lists[0]);
}, 90_000);

test.each(['SIGTERM', 'SIGKILL'] as const)(
  '%s while it makes the schema: the next start finds it whole, or makes it',
  async (signal) => {
    const url = await postgres().createDatabase();
    const database = new URL(url).pathname.slice(1);
    const inDatabase = `datname = '${database}' AND wait_event_type =`;
    const held = postgres().psqlOn(database, 'BEGIN', 'LOCK TABLE pg_class IN SHARE MODE', 'SELECT pg_sleep(60)');
    held.catch(() => undefined);
    const { child, exited } = spawnService({ env: settingsFor(await createTestCertificate(), { DATABASE_URL: url }) });
    await postgres().waitFor(`SELECT 1 FROM pg_stat_activity WHERE ${inDatabase} 'Lock'`);
    child.kill(signal);
    await postgres().psql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${inDatabase} 'Timeout'`);
    expect(await exited).toBe(signal === 'SIGTERM' ? 0 : signal);
    const { client } = await startInstance({ DATABASE_URL: url });
    expect((await client.post('/messages', '{"message":"foo"}')).status).toBe(201);
    expect(await listOf(client)).toHaveLength(1);
  },
);

test('clients of two instances post the same text at once: 201 for all, one row', async () => {
  const DATABASE_URL = await postgres().createDatabase();
  const instances = await Promise.all([startInstance({ DATABASE_URL }), startInstance({ DATABASE_URL })]);
  const texts = Array.from({ length: 10 }, (_, round) => `the same, round ${round}`);
  for (const text of texts) {
    const answers = await Promise.all(
      instances.flatMap(({ client }) => Array.from({ length: 16 }, () => post(client, text))),
    );
    expect(new Set(answers.map(({ status, text: body }) => `${status} ${body}`)).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 201, json: { digest: shaOf(text) } });
  }
  for (const { client } of instances) expect(await listOf(client)).toEqual(texts.map(shaOf));
}, 60_000);

test('numbers that were given and not used, as when two instances store one text, leave no trace in lists', async () => {
  const { client } = await startInstance({ DATABASE_URL: postgres().url });
  const skipNumber = 'UPDATE message_list SET last_seq = last_seq + 1';
  await postgres().psql(skipNumber);
  expect(await listOf(client)).toEqual([]);
  for (const text of ['one', 'two']) {
    await post(client, text);
    await postgres().psql(skipNumber);
  }
  const shas = [shaOf('one'), shaOf('two')];
  expect(await listOf(client)).toEqual(shas);
  expect((await client.get('/messages?limit=2')).headers['link']).toBeUndefined();
  expect((await client.get(`/messages?limit=2&after=${shas[0]}`)).json).toEqual({ digestList: [shas[1]] });
}, 60_000);

interface Page {
  readonly shas: readonly string[];
  readonly hasMore: boolean;
}

async function restPage(client: Client, after: string | undefined): Promise<Page> {
  const answer = await client.get(`/messages?limit=7${after === undefined ? '' : `&after=${after}`}`);
  expect(answer.status).toBe(200);
  return {
    shas: (answer.json as { digestList: string[] }).digestList,
    hasMore: answer.headers['link'] !== undefined,
  };
}

async function graphqlPage(client: Client, after: string | undefined): Promise<Page> {
  const query =
    'query ($after: Sha256) { messages(first: 7, after: $after) { nodes { sha } pageInfo { hasNextPage } } }';
  const { json } = await client.graphql(query, { after });
  const { nodes, pageInfo } = (
    json as { data: { messages: { nodes: { sha: string }[]; pageInfo: { hasNextPage: boolean } } } }
  ).data.messages;
  return { shas: nodes.map(({ sha }) => sha), hasMore: pageInfo.hasNextPage };
}

/** Follows the list by its pages, until told to stop and there is no more. */
async function follow(client: Client, page: typeof restPage, stop: AbortSignal): Promise<string[]> {
  const all: string[] = [];
  for (;;) {
    const isLast = stop.aborted;
    const { shas, hasMore } = await page(client, all.at(-1));
    all.push(...shas);
    if (isLast && !hasMore) return all;
  }
}

test(
  `two instances write for ${SECONDS} s: who follows the list by pages sees every row once, in order`,
  async () => {
    const DATABASE_URL = await postgres().createDatabase();
    // The transactions of one take longer than those of the other, so that they overlap and end in any order.
    const proxy = await startTcpProxy(postgres().port);
    const fast = await startInstance({ DATABASE_URL });
    const slow = await startInstance({ DATABASE_URL: proxy.through(DATABASE_URL) });
    proxy.delay(5);
    const [stopWriting, stopReading] = [new AbortController(), new AbortController()];
    const writes = new WriteLoad();
    const instanceOf = (index: number): Instance => (index % 2 ? fast : slow);
    const writing = Array.from({ length: WRITERS }, (_, index) =>
      writes.write(instanceOf(index).connect(), { stop: stopWriting.signal }),
    );
    const reading = Array.from({ length: READERS }, (_, index) =>
      follow(instanceOf(index >> 1).connect(), index % 2 ? restPage : graphqlPage, stopReading.signal),
    );
    setTimeout(() => stopWriting.abort(), SECONDS * 1000);
    expect(new Set(await Promise.all(writing))).toEqual(new Set([false]));
    stopReading.abort();
    const lists = await Promise.all(reading);
    const list = await listOf(fast.client);
    writes.assertKept(list);
    expect(list).toHaveLength(writes.acknowledged.size);
    for (const followed of lists) expect(followed).toEqual(list);
    expect(await listOf(slow.client)).toEqual(list);
    console.info(`${list.length} messages from ${WRITERS} writers, each seen once by ${READERS} readers`);
  },
  60_000 + SECONDS * 2_000,
);
