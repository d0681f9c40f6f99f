import { once } from 'node:events';
import { request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type ClientError } from '../support/client.ts';
import { disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { answeringPids, spawnService, type ServiceProcess } from '../support/process.ts';
import { createTestCertificate, settingsFor } from '../support/service.ts';

/** Restarts under load, for one process and for two workers; DRAIN_CYCLES=100 for a campaign. */
const CYCLES = Number(process.env['DRAIN_CYCLES'] ?? 2);
const DELAY_MS = 1000;
const CLIENTS = 16;

afterEach(disposeLeftovers);

interface Running {
  readonly service: ServiceProcess;
  readonly url: string;
  readonly newClient: () => Client;
}

async function start(env: Record<string, string> = {}, cwd = temporaryFolder()): Promise<Running> {
  const certificate = await createTestCertificate();
  const settings = settingsFor(certificate, { DRAIN_DELAY_MS: String(DELAY_MS), ...env });
  const service = spawnService({ env: settings, cwd });
  const url = await service.url;
  return { service, url, newClient: () => new Client(url, certificate.ca) };
}

/** Asks and posts on one connection, and on another one whenever the service says so, until none can be had. */
async function useUntilRefused(client: Client): Promise<{ statuses: number[]; acknowledged: string[] }> {
  const [statuses, acknowledged]: [number[], string[]] = [[], []];
  try {
    for (;;) {
      const message = String(process.hrtime.bigint());
      const { status, json } = await (statuses.length % 2
        ? client.get('/messages?limit=1')
        : client.post('/messages', JSON.stringify({ message })));
      statuses.push(status);
      if (status === 201) acknowledged.push((json as { digest: string }).digest);
    }
  } catch (error) {
    if ((error as ClientError).wasSent) throw error;
    return { statuses, acknowledged };
  } finally {
    client.close();
  }
}

test('SIGTERM: not ready at once, but answering for the delay, then closed; each answer says that its connection ends', async () => {
  const { service, newClient } = await start();
  const idle = newClient();
  expect(await idle.get('/health/ready')).toMatchObject({ status: 200, headers: { connection: 'keep-alive' } });
  const begun = performance.now();
  service.child.kill('SIGTERM');
  while ((await idle.get('/health/ready')).status === 200) await sleep(5);
  // Well within the delay, on new connections.
  const answers = await Promise.all(
    ['/health/ready', '/health', '/messages'].map(async (path) => {
      const client = newClient();
      const answer = await client.get(path);
      client.close();
      return answer;
    }),
  );
  expect(performance.now() - begun).toBeLessThan(DELAY_MS);
  expect(answers).toMatchObject([
    { status: 503, headers: { 'retry-after': '1' }, json: { code: 'NOT_READY', error: 'The service is stopping.' } },
    { status: 200, json: { status: 'ok' } },
    { status: 200, json: { digestList: [] } },
  ]);
  expect(answers.map(({ headers }) => headers.connection)).toEqual(['close', 'close', 'close']);
  expect(await service.exited).toBe(0);
  expect(performance.now() - begun).toBeGreaterThan(DELAY_MS);
  await expect(newClient().get('/health')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test.each([1, 2])(
  'SIGTERM under load with %i workers: every request that is sent has its answer',
  async (workers) => {
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const { service, newClient } = await start({ WORKERS: String(workers), DRAIN_DELAY_MS: '300' });
      const users = Array.from({ length: CLIENTS }, () => useUntilRefused(newClient()));
      await sleep(300 + Math.random() * 100);
      service.child.kill('SIGTERM');
      const statuses = (await Promise.all(users)).flatMap((user) => user.statuses);
      expect(new Set(statuses)).toEqual(new Set([200, 201]));
      expect(statuses.length).toBeGreaterThan(CLIENTS);
      expect(await service.exited).toBe(0);
      expect(answeringPids(service.stdout()).size).toBe(workers);
    }
  },
  30_000 + CYCLES * 10_000,
);

test('a request under way when the listener closes is finished, and told that its connection ends', async () => {
  const { service, url, newClient } = await start({ DRAIN_DELAY_MS: '0' });
  const { agent } = newClient();
  const body = '{"message":"slow"}';
  const slow = request(`${url}/messages`, { agent, method: 'POST', headers: { 'content-length': body.length } });
  slow.write(body.slice(0, 5));
  await sleep(300);
  service.child.kill('SIGTERM');
  while (await newClient().get('/health').then(() => true, () => false)) await sleep(20); // prettier-ignore
  slow.end(body.slice(5));
  const [answer] = (await once(slow, 'response')) as [{ statusCode: number; headers: object }];
  expect(answer).toMatchObject({ statusCode: 201, headers: { connection: 'close' } });
  expect(await service.exited).toBe(0);
});

test.each([
  ['SIGTERM twice, then SIGINT: the delay, once', ['SIGTERM', 'SIGTERM', 'SIGINT'], 500, 500],
  ['SIGINT: no delay, because somebody is waiting', ['SIGINT'], 5000, 0],
] as const)('%s', async (_, signals, delay, least) => {
  for (const WORKERS of ['1', '2']) {
    const { service, newClient } = await start({ WORKERS, DRAIN_DELAY_MS: String(delay) });
    await newClient().get('/health');
    const begun = performance.now();
    for (const signal of signals) {
      service.child.kill(signal);
      await sleep(20);
    }
    expect(await service.exited).toBe(0);
    const took = performance.now() - begun;
    expect(took).toBeGreaterThanOrEqual(least);
    expect(took).toBeLessThan(least + 4000);
    expect(service.stderr()).toBe('');
  }
});

test('kill -9 while it drains: what was acknowledged is there', async () => {
  const folder = temporaryFolder();
  const acknowledged: string[] = [];
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const { service, newClient } = await start({ DRAIN_DELAY_MS: '200' }, folder);
    const users = Array.from({ length: CLIENTS }, () => useUntilKilled(newClient(), acknowledged));
    await sleep(300);
    service.child.kill('SIGTERM');
    await sleep(Math.random() * 250);
    service.child.kill('SIGKILL');
    await service.exited;
    await Promise.all(users);
  }
  const { newClient } = await start({}, folder);
  const { digestList } = (await newClient().get('/messages')).json as { digestList: string[] };
  expect(acknowledged.length).toBeGreaterThan(CLIENTS);
  expect(acknowledged.filter((digest) => !digestList.includes(digest))).toEqual([]);
});

async function useUntilKilled(client: Client, acknowledged: string[]): Promise<void> {
  try {
    for (;;) {
      const { json } = await client.post('/messages', JSON.stringify({ message: String(process.hrtime.bigint()) }));
      acknowledged.push((json as { digest: string }).digest);
    }
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toMatch(/ECONNRESET|ECONNREFUSED|EPIPE/);
  } finally {
    client.close();
  }
}

test('an answer that is written, but waits for its client to read, is sent whole', async () => {
  const { service, url, newClient } = await start({ MAX_MESSAGE_BYTES: '12000000', DRAIN_DELAY_MS: '0' });
  const client = newClient();
  const message = 'x'.repeat(12_000_000);
  const { headers } = await client.post('/messages', JSON.stringify({ message }));
  const outgoing = request(new URL(String(headers.location), url), { agent: client.agent }).end();
  // Not read before the service has had time for several looks at its connections.
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  service.child.kill('SIGTERM');
  await sleep(1500);
  expect((await text(incoming)).length).toBe(JSON.stringify({ message }).length);
  expect(await service.exited).toBe(0);
  client.close();
});
