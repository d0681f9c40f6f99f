import { METHODS } from 'node:http';
import { AppError } from '../../../src/errors.ts';
import { faultyStore } from '../../support/faulty-store.ts';
import { disposeLeftovers } from '../../support/leftovers.ts';
import { scrape, scrapeText, startMeasuredService, topCallers, total, type Samples } from '../../support/metrics.ts';
import { sendRaw } from '../../support/raw.ts';
import { shaOf } from '../../support/operations.ts';
import { startService, STORES } from '../../support/service.ts';

afterEach(disposeLeftovers);

const MARK = 'CANARY-c4f1';
const QUERY = 'query ($sha: Sha256!) { messageBySha(sha: $sha) { text } }';

/** The series of requests and errors that have counted something, without how long it took. */
function counted(samples: Samples): Record<string, number> {
  const relevant = [...samples].filter(([key, value]) => /^hashpost_(requests|errors)_total/.test(key) && value > 0);
  return Object.fromEntries(relevant);
}

test('nothing listens for scrapers unless METRICS_PORT says so', async () => {
  const service = await startService();
  expect(service.log()).not.toContain('"metrics"');
});

test('requests are counted by door, route or operation, method and status; errors by code, of both doors', async () => {
  const { client, metricsUrl } = await startMeasuredService();
  await client.post('/messages', '{"message":"foo"}');
  await client.get(`/messages/${shaOf('foo')}`);
  await client.request({ method: 'HEAD', path: `/message/${shaOf('foo')}` });
  await client.get(`/messages/${shaOf('absent')}`);
  await client.post('/messages', '{"message":1}');
  await client.request({ method: 'PROPFIND', path: '/messages' });
  await client.get('/nowhere');
  for (let run = 0; run < 3; run++) await client.graphql(QUERY, { sha: shaOf('foo') });
  await client.graphql('mutation { addMessage(text: "bar") { sha } }');
  await client.graphql('mutation ($text: String!) { addMessage(text: $text) { sha } }', { text: '\ud800' });
  await client.graphql('{ nothing }');
  await client.graphql('{ __typename }', undefined, { accept: 'image/png' });
  await client.post('/graphql', '[]', { 'content-type': 'application/json' });
  const rest = 'door="rest",route="/messages';
  const graphql = 'door="graphql",route="/graphql",operation="';
  expect(counted(await scrape(metricsUrl))).toEqual({
    [`hashpost_requests_total{${rest}",operation="",method="POST",status="201"}`]: 1,
    [`hashpost_requests_total{${rest}",operation="",method="POST",status="400"}`]: 1,
    [`hashpost_requests_total{${rest}",operation="",method="other",status="405"}`]: 1,
    [`hashpost_requests_total{${rest}/:sha",operation="",method="GET",status="200"}`]: 1,
    [`hashpost_requests_total{${rest}/:sha",operation="",method="GET",status="404"}`]: 1,
    'hashpost_requests_total{door="rest",route="/message/:sha",operation="",method="HEAD",status="200"}': 1,
    'hashpost_requests_total{door="other",route="unmatched",operation="",method="GET",status="404"}': 1,
    [`hashpost_requests_total{${graphql}query",method="POST",status="200"}`]: 3,
    [`hashpost_requests_total{${graphql}mutation",method="POST",status="200"}`]: 2,
    [`hashpost_requests_total{${graphql}",method="POST",status="200"}`]: 1,
    [`hashpost_requests_total{${graphql}",method="POST",status="400"}`]: 1,
    [`hashpost_requests_total{${graphql}",method="POST",status="406"}`]: 1,
    'hashpost_errors_total{door="rest",code="NOT_FOUND"}': 1,
    'hashpost_errors_total{door="rest",code="BAD_USER_INPUT"}': 1,
    'hashpost_errors_total{door="rest",code="METHOD_NOT_ALLOWED"}': 1,
    'hashpost_errors_total{door="other",code="NOT_FOUND"}': 1,
    'hashpost_errors_total{door="graphql",code="BAD_USER_INPUT"}': 1,
    'hashpost_errors_total{door="graphql",code="GRAPHQL_VALIDATION_FAILED"}': 1,
    'hashpost_errors_total{door="graphql",code="NOT_ACCEPTABLE"}': 1,
    'hashpost_errors_total{door="graphql",code="BAD_REQUEST"}': 1,
  });
});

test('what is refused before it is a request, and who leaves before the answer, counts too', async () => {
  const never = Promise.withResolvers<never>();
  never.promise.catch(() => undefined);
  const service = await startMeasuredService({
    overrides: { decorateStore: faultyStore({ find: () => never.promise }) },
  });
  await sendRaw(service, 'nonsense\r\n\r\n');
  await sendRaw(service, `GET /messages/${shaOf('x')} HTTP/1.1\r\nHost: x\r\n\r\n`, 200);
  await service.client.get('/messages');
  const samples = await scrape(service.metricsUrl);
  expect(total(samples, 'hashpost_errors_total', { door: 'other', code: 'BAD_REQUEST' })).toBe(1);
  expect(total(samples, 'hashpost_requests_total', { route: '/messages/:sha', status: '499' })).toBe(1);
  never.reject(new AppError('STORE_UNAVAILABLE'));
});

test('bytes are those that were read and sent, not those that a client announces', async () => {
  const service = await startMeasuredService({ env: { MAX_MESSAGE_BYTES: '100' } });
  const { client, metricsUrl } = service;
  const body = JSON.stringify({ message: 'naïve' });
  const answer = await client.post('/messages', body);
  await client.post('/messages', 'x', { 'content-length': '999999' }).catch(() => undefined);
  await sendRaw(service, 'POST /messages HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n12345', 200);
  await client.request({ method: 'HEAD', path: `/messages/${shaOf('naïve')}` });
  const samples = await scrape(metricsUrl);
  expect(total(samples, 'hashpost_request_body_bytes_total', { door: 'rest' })).toBe(Buffer.byteLength(body) + 5);
  expect(total(samples, 'hashpost_response_body_bytes_total', { door: 'rest' })).toBeGreaterThanOrEqual(
    Buffer.byteLength(answer.text),
  );
});

test('the store is measured by its methods; what the cache knows costs it nothing', async () => {
  const { client, metricsUrl } = await startMeasuredService({ store: 'file' });
  await Promise.all(['a', 'b', 'a'].map((text) => client.post('/messages', JSON.stringify({ message: text }))));
  for (let run = 0; run < 5; run++) await client.get(`/messages/${shaOf('a')}`);
  await client.get('/messages');
  const samples = await scrape(metricsUrl);
  const calls = (method: string): number => total(samples, 'hashpost_store_duration_seconds_count', { method });
  expect([calls('add'), calls('find'), calls('shas')]).toEqual([3, 1, 2]);
  expect(total(samples, 'hashpost_cache_requests_total', { result: 'hit' })).toBe(4);
  expect(total(samples, 'hashpost_cache_requests_total', { result: 'miss' })).toBe(1);
  expect(total(samples, 'hashpost_messages')).toBe(2);
  expect(total(samples, 'hashpost_store_wal_bytes')).toBeGreaterThan(0);
  expect(total(samples, 'hashpost_store_free_bytes')).toBeGreaterThan(0);
  expect(total(samples, 'hashpost_store_batch_messages_total')).toBe(3);
  expect(total(samples, 'hashpost_store_up')).toBe(1);
});

test('a store that does not answer is told of, holds up no scrape, and takes no total away', async () => {
  let isDown = false;
  const { metricsUrl } = await startMeasuredService({
    overrides: {
      decorateStore: (store) =>
        faultyStore({
          stats: async () => (isDown ? new Promise(() => undefined) : { ...(await store.stats()), followerMisses: 7 }),
        })(store),
    },
  });
  expect(total(await scrape(metricsUrl), 'hashpost_store_up')).toBe(1);
  isDown = true;
  const samples = await scrape(metricsUrl);
  expect(total(samples, 'hashpost_store_up')).toBe(0);
  expect(samples.has('hashpost_messages')).toBe(false);
  expect(total(samples, 'hashpost_store_follower_misses_total')).toBe(7);
});

test('10,000 paths, and methods that nobody knows, make no series', async () => {
  const { client, metricsUrl } = await startMeasuredService();
  const methods = METHODS.filter((method) => !['CONNECT', 'HEAD', 'OPTIONS'].includes(method));
  const ask = async (index: number, known: readonly string[]): Promise<void> => {
    const method = known[index % known.length] as string;
    const path = index % 2 ? `/${index}/${MARK}` : `/messages/${index}`;
    expect((await client.request({ method, path })).status).toBeGreaterThanOrEqual(400);
  };
  for (let index = 0; index < 20; index++) await ask(index, ['GET', 'PUT', 'POST']);
  const series = [...(await scrape(metricsUrl)).keys()];
  for (let index = 20; index < 10_000; index += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, offset) => ask(index + offset, methods)));
  }
  const samples = await scrape(metricsUrl);
  expect([...samples.keys()]).toEqual(series);
  expect(total(samples, 'hashpost_requests_total')).toBe(10_000);
}, 120_000);

test.each(STORES)('no text, sha, token, path or URL of the store %s is in what is served there', async (store) => {
  const { client, metricsUrl } = await startMeasuredService({ store });
  await client.post('/messages', JSON.stringify({ message: MARK }));
  await client.get(`/messages/${shaOf(MARK)}`);
  await client.get(`/${MARK}?${MARK}`, { authorization: `Bearer ${MARK}`, 'x-request-id': MARK, cookie: MARK });
  await client.graphql(`mutation { addMessage(text: "${MARK}") { sha } }`);
  await client.graphql(`query ${MARK.replace('-', '_')} { messageBySha(sha: "${MARK}") { sha } }`);
  await client.request({ method: 'POST', path: '/messages', body: MARK, headers: { [MARK]: MARK } });
  const served = (await scrapeText(metricsUrl)) + JSON.stringify(await topCallers(metricsUrl));
  expect(served).toContain('hashpost_requests_total');
  for (const secret of [MARK, MARK.replace('-', '_'), shaOf(MARK), 'Bearer', 'messages.db', 'postgres:'])
    expect(served).not.toContain(secret);
});
