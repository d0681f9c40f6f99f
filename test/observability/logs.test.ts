import { disposeLeftovers } from '../support/leftovers.ts';
import { startService, type Service } from '../support/service.ts';

const SHA = '2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae';

let service: Service;
beforeEach(async () => {
  service = await startService();
});
afterEach(disposeLeftovers);

const accessLines = (): Record<string, unknown>[] => service.logLines().filter(({ msg }) => msg === 'request');

test('each request has one line: method, route template, status, time, bytes, id, and no more', async () => {
  const requests: [string, string, string | undefined, string, number][] = [
    ['POST', '/messages', '{"message":"foo"}', '/messages', 201],
    ['GET', '/messages', undefined, '/messages', 200],
    ['GET', '/messages?limit=1&after=zzz', undefined, '/messages', 400],
    ['GET', `/messages/${SHA}`, undefined, '/messages/:sha', 200],
    ['HEAD', `/message/${SHA}`, undefined, '/message/:sha', 200],
    ['GET', '/messages/%zz', undefined, 'unmatched', 400],
    ['GET', '/nope/secret?x=1', undefined, 'unmatched', 404],
    ['DELETE', '/messages', undefined, '/messages', 405],
    ['GET', '/graphql?query=%7Bsecret%7D', undefined, '/graphql', 400],
  ];
  for (const [method, path, body, route, status] of requests) {
    const answer =
      body === undefined ? await service.client.request({ method, path }) : await service.client.post(path, body);
    const line = accessLines().at(-1);
    expect(line).toEqual({
      level: 30,
      time: expect.any(Number) as number,
      pid: process.pid,
      msg: 'request',
      requestId: answer.headers['x-request-id'],
      method,
      route,
      status,
      durationMs: expect.any(Number) as number,
      bytes: Buffer.byteLength(answer.text),
    });
  }
  expect(accessLines()).toHaveLength(requests.length);
  expect(service.log()).not.toMatch(/secret|zzz|2c26b46b/);
});

test('health checks are not logged at info', async () => {
  for (const path of ['/health', '/health/ready']) expect((await service.client.get(path)).status).toBe(200);
  expect(accessLines().map(({ level, route }) => [level, route])).toEqual([[20, '/health'], [20, '/health/ready']]); // prettier-ignore
});

test.each(['abc', 'A-1_b.c', 'x'.repeat(64)])('the caller may choose the id %s', async (id) => {
  expect((await service.client.get('/nope', { 'x-request-id': id })).headers['x-request-id']).toBe(id);
  expect(accessLines().at(-1)).toMatchObject({ requestId: id });
});

test.each(['', 'x'.repeat(65), 'a b', 'a\tb', 'a"b', 'a,b', 'ü'])('the id %j is replaced', async (id) => {
  const answer = await service.client.get('/nope', { 'x-request-id': Buffer.from(id).toString('latin1') });
  expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
});

test('no text is in any line, whatever happens to it', async () => {
  const MARK = 'CANARY-b81e';
  const { client } = service;
  await client.post('/messages', JSON.stringify({ message: MARK }));
  await client.post('/messages', `{"message":"${MARK}`);
  await client.post('/messages', `{"message":"${MARK}\\ud800"}`);
  await client.post('/messages', JSON.stringify({ message: [MARK] }));
  await client.post('/messages', Buffer.from(`{"message":"${MARK}\u00e9"}`, 'latin1'));
  await client.post('/messages', JSON.stringify({ message: MARK }), { 'content-encoding': MARK });
  await client.post('/messages', JSON.stringify({ message: MARK.repeat(1_000_000) })).catch(() => undefined);
  await client.get(`/messages/${MARK}`, { 'if-none-match': MARK, cookie: MARK, authorization: `Bearer ${MARK}` });
  await client.get(`/${MARK}?${MARK}`, { 'x-request-id': `${MARK} ${MARK}`, 'user-agent': MARK });
  await client.graphql(`mutation { addMessage(text: "${MARK}") { text } }`);
  await client.graphql(`mutation { addMessage(text: "${MARK}) { text } }`);
  await client.graphql('mutation ($t: String!) { addMessage(text: $t) { text } }', { t: { MARK } });
  await client.get(`/graphql?query=${encodeURIComponent(`{ messageBySha(sha: "${MARK}") { sha } }`)}`);
  expect(accessLines().length).toBeGreaterThanOrEqual(12);
  expect(service.log()).not.toContain(MARK);
});
