import { setTimeout as sleep } from 'node:timers/promises';
import { faultyStore } from '../../support/faulty-store.ts';
import { disposeLeftovers } from '../../support/leftovers.ts';
import { scrape, startMeasuredService } from '../../support/metrics.ts';
import { startService } from '../../support/service.ts';

afterEach(disposeLeftovers);

test.each([
  ['GET', '/metrics', 200, 'text/plain; version=0.0.4; charset=utf-8'],
  ['GET', '/metrics?x=1', 200, 'text/plain; version=0.0.4; charset=utf-8'],
  ['HEAD', '/metrics', 200, 'text/plain; version=0.0.4; charset=utf-8'],
  ['GET', '/callers', 200, 'application/json; charset=utf-8'],
  ['POST', '/metrics', 405, 'text/plain; charset=utf-8'],
  ['DELETE', '/callers', 405, 'text/plain; charset=utf-8'],
  ['GET', '/', 404, 'text/plain; charset=utf-8'],
  ['GET', '/metrics/', 404, 'text/plain; charset=utf-8'],
  ['GET', '/messages', 404, 'text/plain; charset=utf-8'],
  ['POST', '/messages', 404, 'text/plain; charset=utf-8'],
])('%s %s is %i', async (method, path, status, contentType) => {
  const { metricsUrl } = await startMeasuredService();
  const answer = await fetch(new URL(path, metricsUrl), { method });
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe(contentType);
  expect(answer.headers.get('allow')).toBe(status === 405 ? 'GET, HEAD' : null);
});

test('it listens on the loopback unless METRICS_HOST says otherwise, and no longer than the service', async () => {
  const { metricsUrl, app } = await startMeasuredService();
  expect(new URL(metricsUrl).hostname).toBe('127.0.0.1');
  await app.stop();
  await expect(fetch(metricsUrl)).rejects.toThrow();
});

test('an address that cannot be had ends the start with the setting to change', async () => {
  const { port } = new URL((await startMeasuredService()).metricsUrl);
  await expect(startService({ env: { METRICS_PORT: port } })).rejects.toThrow(
    `METRICS_PORT ${port} is in use (METRICS_HOST is 127.0.0.1); stop what listens there, or set METRICS_PORT`,
  );
  await expect(startService({ env: { METRICS_PORT: '0', METRICS_HOST: '192.0.2.1' } })).rejects.toThrow(
    'METRICS_HOST 192.0.2.1 is no address of this machine: set METRICS_HOST, for example to 0.0.0.0',
  );
});

test('many scrapers at a time cost no more than one', async () => {
  let asked = 0;
  const { metricsUrl } = await startMeasuredService({
    overrides: {
      decorateStore: (store) =>
        faultyStore({
          stats: async () => {
            asked++;
            await sleep(300);
            return store.stats();
          },
        })(store),
    },
  });
  const first = scrape(metricsUrl);
  while (asked === 0) await sleep(5);
  const all = await Promise.all([first, ...Array.from({ length: 50 }, () => scrape(metricsUrl))]);
  for (const samples of all) expect(samples.get('hashpost_store_up')).toBe(1);
  expect(asked).toBeLessThan(10);
});
