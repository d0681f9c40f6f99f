import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../../support/client.ts';
import { disposeLeftovers, temporaryFolder } from '../../support/leftovers.ts';
import { metricsUrlIn, scrape, topCallers, total, type Samples } from '../../support/metrics.ts';
import { answeringPids, preload, spawnService, type ServiceProcess } from '../../support/process.ts';
import { createTestCertificate, settingsFor } from '../../support/service.ts';

afterEach(disposeLeftovers);

/** A worker that is told so by SIGUSR2 does nothing for four seconds. */
const BLOCKING = preload(`
  import cluster from 'node:cluster';
  if (cluster.isWorker) process.on('SIGUSR2', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4000));`);

interface Running {
  readonly service: ServiceProcess;
  readonly metricsUrl: string;
  /** Makes requests on connections of their own until each of two workers has answered. @returns how many. */
  readonly ask: () => Promise<number>;
  readonly pids: () => number[];
}

async function start(env: Record<string, string> = {}): Promise<Running> {
  const certificate = await createTestCertificate();
  const settings = settingsFor(certificate, { WORKERS: '2', METRICS_PORT: '0', ...env });
  const service = spawnService({ env: settings, cwd: temporaryFolder() });
  const url = await service.url;
  let requests = 0;
  async function ask(): Promise<number> {
    for (let round = 0; round < 200; round++) {
      const clients = Array.from({ length: 4 }, () => new Client(url, certificate.ca));
      await Promise.all(clients.map((client) => client.post('/messages', `{"message":"${requests++ % 50}"}`)));
      for (const client of clients) client.close();
      if (answeringPids(service.stdout()).size >= 2) return requests;
    }
    throw new Error('some worker never answers');
  }
  const pids = (): number[] => [...answeringPids(service.stdout())];
  return { service, metricsUrl: metricsUrlIn(service.stdout()), ask, pids };
}

const requestsIn = (samples: Samples): number => total(samples, 'hashpost_requests_total');

async function untilScraped(metricsUrl: string, isWanted: (samples: Samples) => boolean): Promise<Samples> {
  for (let round = 0; round < 200; round++) {
    const samples = await scrape(metricsUrl);
    if (isWanted(samples)) return samples;
    await sleep(50);
  }
  throw new Error('the metrics never come to what is wanted');
}

/** A request is counted when its answer is out, which its client may know first. */
function untilCounted(metricsUrl: string, requests: number): Promise<Samples> {
  return untilScraped(metricsUrl, (samples) => requestsIn(samples) === requests);
}

test('one scrape tells of all workers: counts are summed, what they share is not', async () => {
  const { service, metricsUrl, ask } = await start();
  expect(service.stdout().match(/"metrics":/g)).toHaveLength(1);
  const requests = await ask();
  const samples = await untilCounted(metricsUrl, requests);
  expect(total(samples, 'hashpost_store_batch_messages_total')).toBe(requests);
  expect(total(samples, 'hashpost_request_duration_seconds_count')).toBe(requests);
  expect(total(samples, 'hashpost_messages')).toBe(Math.min(requests, 50));
  expect(total(samples, 'hashpost_workers')).toBe(2);
  expect(total(samples, 'hashpost_workers_configured')).toBe(2);
  expect(total(samples, 'hashpost_store_up')).toBe(1);
  expect(total(samples, 'hashpost_certificate_expiry_timestamp_seconds')).toBeLessThan(
    Date.now() / 1000 + 400 * 86_400,
  );
  const { byRequests } = await topCallers(metricsUrl);
  expect(byRequests).toEqual([{ caller: '127.0.0.1', atLeast: requests, atMost: requests }]);
  service.child.kill('SIGTERM');
  expect(await service.exited).toBe(0);
});

test('a worker that dies fails no scrape, and takes none of what it told with it', async () => {
  const { metricsUrl, ask, pids } = await start();
  const before = await ask();
  await untilCounted(metricsUrl, before);
  process.kill(pids()[0] as number, 'SIGKILL');
  // Scraped all the time, while it dies and while its successor starts.
  const samples = await untilScraped(metricsUrl, (seen) => {
    expect(requestsIn(seen)).toBe(before);
    return total(seen, 'hashpost_worker_deaths_total') === 1 && total(seen, 'hashpost_workers') === 2;
  });
  expect(total(samples, 'hashpost_store_batch_messages_total')).toBe(before);
  expect(requestsIn(await scrape(metricsUrl))).toBe(before);
});

test('a worker that is busy holds up no scrape for long, and counts with what it last told', async () => {
  const { metricsUrl, ask, pids } = await start(BLOCKING);
  const before = await ask();
  await untilCounted(metricsUrl, before);
  process.kill(pids()[0] as number, 'SIGUSR2');
  const begun = performance.now();
  const samples = await untilScraped(metricsUrl, (seen) => total(seen, 'hashpost_workers') === 1);
  expect(performance.now() - begun).toBeLessThan(3_800);
  expect(requestsIn(samples)).toBe(before);
  expect(requestsIn(await untilScraped(metricsUrl, (seen) => total(seen, 'hashpost_workers') === 2))).toBe(before);
});
