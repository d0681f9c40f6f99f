import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from './support/client.ts';
import { disposeLeftovers, temporaryFolder } from './support/leftovers.ts';
import { answeringPid, answeringPids, preload, spawnService, type ServiceProcess } from './support/process.ts';
import { createTestCertificate, settingsFor } from './support/service.ts';

afterEach(disposeLeftovers);

interface Running {
  readonly service: ServiceProcess;
  readonly url: string;
  readonly ca: string;
  readonly folder: string;
}

async function start(env: Record<string, string> = {}): Promise<Running> {
  const certificate = await createTestCertificate();
  const folder = temporaryFolder();
  const service = spawnService({ env: settingsFor(certificate, { WORKERS: '2', ...env }), cwd: folder });
  return { service, url: await service.url, ca: certificate.ca, folder };
}

interface Failure {
  readonly code: string | undefined;
  /** The first request on the same connection; the log of a process that is killed may lack the last ones. */
  readonly requestId: string;
}

/** Asks and posts on one connection until told to stop; on another one after a failure. */
async function useUntil(stop: AbortSignal, { url, ca }: Running): Promise<{ statuses: number[]; failures: Failure[] }> {
  const [statuses, failures]: [number[], Failure[]] = [[], []];
  let client = new Client(url, ca);
  let requestId = '';
  while (!stop.aborted) {
    try {
      const body = JSON.stringify({ message: `${process.hrtime.bigint()}` });
      const { status, headers } = await (statuses.length % 2
        ? client.get('/messages?limit=1')
        : client.post('/messages', body));
      statuses.push(status);
      requestId ||= String(headers['x-request-id']);
    } catch (error) {
      failures.push({ code: (error as NodeJS.ErrnoException).code, requestId });
      client.close();
      client = new Client(url, ca);
      requestId = '';
    }
  }
  client.close();
  return { statuses, failures };
}

/** Resolves when as many workers, after all that were before, have answered. */
async function untilAnswering(count: number, { service, url, ca }: Running): Promise<number[]> {
  for (let round = 0; answeringPids(service.stdout()).size < count; round++) {
    if (round === 500) throw new Error('some worker never answers');
    const clients = Array.from({ length: 4 }, () => new Client(url, ca));
    await Promise.all(clients.map((client) => client.get('/messages?limit=1')));
    for (const client of clients) client.close();
  }
  return [...answeringPids(service.stdout())];
}

test('all of them answer, on one port and one database; the end is 0', async () => {
  const running = await start();
  const { service, url, ca } = running;
  const workers = await untilAnswering(2, running);
  expect(workers).not.toContain(service.child.pid);
  const stop = new AbortController();
  const users = Array.from({ length: 8 }, () => useUntil(stop.signal, running));
  await sleep(500);
  stop.abort();
  const statuses = (await Promise.all(users)).flatMap((user) => user.statuses);
  expect(new Set(statuses)).toEqual(new Set([200, 201]));
  const client = new Client(url, ca);
  const { digestList } = (await client.get('/messages')).json as { digestList: string[] };
  expect(digestList).toHaveLength(statuses.filter((status) => status === 201).length);
  client.close();
  expect(service.stdout().match(/listening on/g)).toHaveLength(1);
  service.child.kill('SIGTERM');
  expect(await service.exited).toBe(0);
  expect(service.stderr()).toBe('');
});

const FAULTS = {
  'killed by the system': { code: '', died: { code: null, signal: 'SIGUSR2' }, logged: 0 },
  'an uncaught exception': {
    code: `process.on('SIGUSR2', () => { throw new Error('fault') })`,
    died: { code: 1, signal: null },
    logged: 1,
  },
  'an unhandled rejection': {
    code: `process.on('SIGUSR2', () => void Promise.reject(new Error('fault')))`,
    died: { code: 1, signal: null },
    logged: 1,
  },
};

test.each(Object.entries(FAULTS))(
  '%s ends one worker: it is replaced, others serve',
  async (_, { code, died, logged }) => {
    const running = await start(code === '' ? {} : preload(code));
    const { service } = running;
    const [victim] = await untilAnswering(2, running);
    const stop = new AbortController();
    const users = Array.from({ length: 8 }, () => useUntil(stop.signal, running));
    await sleep(300);
    process.kill(victim as number, 'SIGUSR2');
    await untilAnswering(3, running);
    stop.abort();
    const failures = (await Promise.all(users)).flatMap((user) => user.failures);
    const log = service.stdout();
    expect(
      failures
        .map(({ requestId }) => answeringPid(log, requestId))
        .filter((pid) => pid !== undefined && pid !== victim),
    ).toEqual([]);
    const lines = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter(({ msg }) => msg === 'a worker died')).toMatchObject([{ worker: victim, ...died }]);
    expect(lines.filter(({ msg }) => msg === 'uncaught exception')).toHaveLength(logged);
    service.child.kill('SIGTERM');
    expect(await service.exited).toBe(0);
  },
  60_000,
);

describe('a worker that fails at its start', () => {
  const CLOCK_SPEED = 10;
  /** Workers fail once a file says so; pauses are ten times shorter. */
  const failing = preload(`
    import cluster from 'node:cluster';
    import { existsSync } from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    import timers from 'node:timers/promises';
    const { setTimeout } = timers;
    timers.setTimeout = (ms, ...rest) => setTimeout(ms / ${CLOCK_SPEED}, ...rest);
    syncBuiltinESMExports();
    if (cluster.isWorker && existsSync('failing')) throw new Error('fault');`);

  test('as one of the first: the service ends at once, not with 0', async () => {
    const certificate = await createTestCertificate();
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'failing'), '');
    const service = spawnService({ env: settingsFor(certificate, { WORKERS: '4', ...failing }), cwd });
    expect(await service.exited).toBe(1);
    expect(service.stdout().match(/a worker died/g)).toHaveLength(1);
    expect(service.stderr().match(/Error: fault/g)).toHaveLength(1);
  });

  test('as a successor: it is tried ever more seldom, then given up; the end is not 0', async () => {
    const running = await start(failing);
    const { service, folder } = running;
    const [victim] = await untilAnswering(2, running);
    writeFileSync(join(folder, 'failing'), '');
    process.kill(victim as number, 'SIGKILL');
    expect(await service.exited).toBe(1);
    expect(service.stderr()).toMatch(/hashpost: workers died 11 times in a minute\n$/);
    const deaths = [...service.stdout().matchAll(/"time":(\d+)[^\n]*"msg":"a worker died"/g)].map(([, at]) =>
      Number(at),
    );
    expect(deaths).toHaveLength(11);
    const pauses = deaths.slice(1).map((at, index) => at - (deaths[index] as number));
    [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000].forEach((least, index) => {
      expect(pauses[index]).toBeGreaterThanOrEqual(least / CLOCK_SPEED - 1);
    });
  });
});
