import { Client } from '../support/client.ts';
import { disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { createTestCertificate, settingsFor } from '../support/service.ts';
import { assertStrace, spawnTraced } from '../support/strace.ts';

/** SLOW_SECONDS=60 for a campaign. */
const SECONDS = Number(process.env['SLOW_SECONDS'] ?? 5);
const SYNC_MS = 20;

beforeAll(assertStrace);
afterEach(disposeLeftovers);

/** Clients of a service of which every sync takes 20 ms longer. */
async function startSlow(clientCount: number, env: Record<string, string> = {}): Promise<Client[]> {
  const certificate = await createTestCertificate();
  const service = await spawnTraced(
    { env: settingsFor(certificate, env), cwd: temporaryFolder() },
    ...['-e', 'trace=fsync,fdatasync', '-e', `inject=fsync,fdatasync:delay_enter=${SYNC_MS * 1000}`],
    ...['-o', '/dev/null'],
  );
  const url = await service.url;
  return Array.from({ length: clientCount }, () => new Client(url, certificate.ca));
}

interface Timed {
  readonly times: number[];
  readonly statuses: Record<number, number>;
}

/** Requests one after the other until the time is over. */
async function repeat(until: number, run: (index: number) => Promise<{ status: number }>): Promise<Timed> {
  const times: number[] = [];
  const statuses: Record<number, number> = {};
  for (let index = 0; performance.now() < until; index++) {
    const begun = performance.now();
    const { status } = await run(index);
    times.push(performance.now() - begun);
    statuses[status] = (statuses[status] ?? 0) + 1;
  }
  return { times, statuses };
}

const postNew = (client: Client, name: string): Promise<{ status: number }> =>
  client.post('/messages', JSON.stringify({ message: name.padEnd(1_000, 'x') }));

const quantile = (times: readonly number[], share: number): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? NaN;

test(
  'reads do not wait for syncs: with 20 ms each, writers add less than 10 ms to the p99 of reads',
  async () => {
    const [reader, ...writers] = (await startSlow(5)) as [Client, ...Client[]];
    const { digest } = (await reader.post('/messages', '{"message":"read me"}')).json as { digest: string };
    const read = (): Promise<{ status: number }> => reader.get(`/messages/${digest}`);
    // How busy the machine is with other things.
    const alone = await repeat(performance.now() + 1_000, read);
    const until = performance.now() + SECONDS * 1000;
    const writing = writers.map((client, writer) => repeat(until, (index) => postNew(client, `${writer}/${index}`)));
    const reading = await repeat(until, read);
    const writes = (await Promise.all(writing)).flatMap(({ times }) => times);
    // The syncs are slow indeed, and each is shared.
    expect(quantile(writes, 0.01)).toBeGreaterThan(SYNC_MS);
    expect(writes.length).toBeGreaterThan((SECONDS * 1000) / SYNC_MS);
    expect(Object.keys(reading.statuses)).toEqual(['200']);
    const [p99, p99Alone] = [quantile(reading.times, 0.99), quantile(alone.times, 0.99)];
    console.info(`p99 of ${reading.times.length} reads ${p99.toFixed(1)} ms, without writes ${p99Alone.toFixed(1)} ms`);
    expect(p99 - p99Alone).toBeLessThan(10);
  },
  60_000 + SECONDS * 1000,
);

test(
  'four workers on one slow disk take turns: no write is refused',
  async () => {
    const clients = await startSlow(32, { WORKERS: '4' });
    const until = performance.now() + SECONDS * 1000;
    const all = await Promise.all(
      clients.map((client, writer) => repeat(until, (index) => postNew(client, `${writer}/${index}`))),
    );
    expect(new Set(all.flatMap(({ statuses }) => Object.keys(statuses)))).toEqual(new Set(['201']));
    const times = all.flatMap((one) => one.times);
    console.info(`${times.length} writes, the slowest took ${Math.max(...times).toFixed(0)} ms`);
  },
  60_000 + SECONDS * 1000,
);
