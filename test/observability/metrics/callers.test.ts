import { callerOf, Callers, topCallers } from '../../../src/observability/metrics/callers.ts';
import { disposeLeftovers } from '../../support/leftovers.ts';
import { startMeasuredService, topCallers as fetchTopCallers } from '../../support/metrics.ts';

afterEach(disposeLeftovers);

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::5', '2001:db8:0:0::/64'],
  ['2001:db8:1:2::', '2001:db8:1:2::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  [undefined, 'unknown'],
])('%s is counted as %s', (address, caller) => {
  expect(callerOf(address)).toBe(caller);
});

test('old callers fade with the windows', () => {
  let now = 1_000_000_000_000;
  const callers = new Callers(() => now);
  const names = (): string[] => topCallers([callers.state]).byRequests.map(({ caller }) => caller);
  callers.record('192.0.2.1', 10);
  now += 5 * 60_000;
  callers.record('192.0.2.2', 10);
  expect(names()).toEqual(['192.0.2.1', '192.0.2.2']);
  now += 5 * 60_000;
  expect(names()).toEqual(['192.0.2.2']);
  callers.record('192.0.2.3', 10);
  now += 24 * 60 * 60_000;
  expect(names()).toEqual([]);
});

test('those of several processes are added up; the twenty largest are shown', () => {
  const processes = [1, 2].map((process) => {
    const callers = new Callers(() => 0);
    for (let index = 0; index < 1000; index++) callers.record(`10.${process}.${index >> 8}.${index & 255}`, 0);
    for (let index = 0; index < 100; index++) callers.record('192.0.2.1', 0);
    callers.record('192.0.2.2', 1_000_000);
    return callers.state;
  });
  const { byRequests, byBytes } = topCallers(processes);
  expect(byRequests).toHaveLength(20);
  expect(byRequests[0]).toMatchObject({ caller: '192.0.2.1' });
  expect(byRequests[0]?.atLeast).toBeLessThanOrEqual(200);
  expect(byRequests[0]?.atMost).toBeGreaterThanOrEqual(200);
  expect(byBytes[0]).toMatchObject({ caller: '192.0.2.2' });
  expect(byBytes[0]?.atMost).toBeGreaterThanOrEqual(2_000_000);
});

test('the service tells who called, on the port of the metrics only', async () => {
  const { client, metricsUrl } = await startMeasuredService();
  await client.post('/messages', '{"message":"foo"}');
  for (let index = 0; index < 4; index++) await client.get('/messages');
  expect((await client.get('/callers')).status).toBe(404);
  expect((await client.get('/metrics')).status).toBe(404);
  const { byRequests, byBytes } = await fetchTopCallers(metricsUrl);
  expect(byRequests).toEqual([{ caller: '127.0.0.1', atLeast: 7, atMost: 7 }]);
  expect(byBytes).toHaveLength(1);
});
