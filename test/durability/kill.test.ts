import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { shaOf } from '../../src/messages/message.ts';
import { Client, type Answer } from '../support/client.ts';
import { expectWithin } from '../support/expect-within.ts';
import { disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { answeringPid, answeringPids, spawnService, type ServiceProcess } from '../support/process.ts';
import { createRandom } from '../support/random.ts';
import { createTestCertificate, settingsFor } from '../support/service.ts';
import { WriteLoad } from '../support/write-load.ts';

/** Of each kind; KILL_CYCLES=2000 for a campaign. */
const CYCLES = Number(process.env['KILL_CYCLES'] ?? 3);
const WRITERS = 16;
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

/** The service gives up workers that die too often; see workers.ts. */
const WORKER_KILLS_PER_SERVICE = 3;

/** Within this a port is free again. */
const FREE_MS = 2000;

/** Within this all others have happened, on a busy machine too. */
const LIMIT_MS = 20_000;

afterEach(disposeLeftovers);

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function workersOf({ child: { pid = 0 } }: ServiceProcess): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

interface WriterEnd {
  readonly firstRequest: string;
  /** Whether its connection did. */
  readonly broke: boolean;
}

class Campaign {
  readonly random = createRandom(SEED);
  readonly writes = new WriteLoad();
  /** How long the services took until they were ready. */
  readonly startTimes: number[] = [];
  readonly #ca: string;
  readonly #env: Record<string, string>;
  readonly #url: string;
  readonly #cwd = temporaryFolder();
  /** The first request of each writer of the last load that was answered. */
  #firstRequests: string[] = [];
  #listed: string[] = [];

  private constructor(ca: string, env: Record<string, string>) {
    this.#ca = ca;
    this.#env = env;
    this.#url = `https://127.0.0.1:${env['PORT']}`;
  }

  static async prepare(workers: number): Promise<Campaign> {
    const certificate = await createTestCertificate();
    // The same port each time, below those that clients get, so that a port that is still taken fails the next start.
    const PORT = String(20_000 + (process.pid % 10_000));
    return new Campaign(certificate.ca, settingsFor(certificate, { PORT, WORKERS: String(workers) }));
  }

  /** Starts the service and checks what it has: all that was acknowledged, once, in the order of before. */
  async start(): Promise<ServiceProcess> {
    const begun = performance.now();
    const service = spawnService({ env: this.#env, cwd: this.#cwd });
    await expectWithin(LIMIT_MS, async () => (await this.probe()) === 200);
    this.startTimes.push(performance.now() - begun);
    const client = new Client(await service.url, this.#ca);
    const { digestList } = (await client.get('/messages')).json as { digestList: string[] };
    client.close();
    expect(digestList.slice(0, this.#listed.length)).toEqual(this.#listed);
    this.writes.assertKept(digestList);
    this.#listed = digestList;
    return service;
  }

  /** Starts the writers; resolves when each has had an acknowledgement. */
  async load(service: ServiceProcess, stop?: AbortSignal): Promise<{ ended: Promise<WriterEnd[]> }> {
    this.#firstRequests = [];
    const ended = Promise.all(Array.from({ length: WRITERS }, () => this.#write(service, stop)));
    await expectWithin(LIMIT_MS, () => this.#firstRequests.length === WRITERS);
    return { ended };
  }

  async #write(service: ServiceProcess, stop?: AbortSignal): Promise<WriterEnd> {
    let firstRequest = '';
    const onAcknowledged = ({ headers }: Answer): void => {
      if (firstRequest === '') this.#firstRequests.push((firstRequest = String(headers['x-request-id'])));
    };
    const broke = await this.writes.write(new Client(await service.url, this.#ca), { stop, onAcknowledged });
    return { firstRequest, broke };
  }

  /** A process that has a writer; the log says so a moment after the answer. */
  async findServingPid(service: ServiceProcess): Promise<number> {
    const findPid = (): number | undefined => answeringPid(service.stdout(), this.#firstRequests[0] ?? '');
    await expectWithin(LIMIT_MS, () => findPid() !== undefined);
    return findPid() as number;
  }

  /** The status of one request on a new connection, or the code of its failure. */
  async probe(path = '/health/ready'): Promise<number | string> {
    const client = new Client(this.#url, this.#ca);
    try {
      return (await client.get(path)).status;
    } catch (error) {
      return String((error as NodeJS.ErrnoException).code);
    } finally {
      client.close();
    }
  }

  /** Starts once more, reads texts back, ends the service and checks the file. */
  async finish(): Promise<void> {
    const service = await this.start();
    const client = new Client(await service.url, this.#ca);
    for (const text of [...this.writes.acknowledged.keys()].slice(-200)) {
      expect((await client.get(`/message/${shaOf(text)}`)).json).toEqual({ message: text });
    }
    client.close();
    service.child.kill('SIGTERM');
    expect(await service.exited).toBe(0);
    const db = new DatabaseSync(join(this.#cwd, 'x.db'), { readOnly: true });
    expect(db.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
    db.close();
    expect(this.writes.acknowledged.size).toBeGreaterThan(CYCLES * 10);
    const [first = NaN, ...later] = this.startTimes;
    const [fastest, slowest] = [Math.min(...later), Math.max(...later)];
    console.info(
      `${this.writes.acknowledged.size} acknowledged, ${this.#listed.length} stored, 0 lost; ready after ` +
        `${first.toFixed()} ms with an empty store, after a kill ${fastest.toFixed()} to ${slowest.toFixed()} ms`,
    );
    // What a start takes is the machine's affair; what it takes more after a kill is the store's.
    expect(fastest).toBeLessThan(2 * first);
  }
}

const KILLS: [string, number, (service: ServiceProcess) => number[]][] = [
  ['the only process', 1, ({ child }) => [child.pid as number]],
  ['all processes', 2, (service) => [service.child.pid as number, ...workersOf(service)]],
  ['the primary', 2, ({ child }) => [child.pid as number]],
];

describe(`kill -9 under load, ${CYCLES} times, SEED=${SEED}`, () => {
  test.each(KILLS)(
    '%s: what was acknowledged is there, once, in order; the port is free at once',
    async (_, workers, victimsOf) => {
      const campaign = await Campaign.prepare(workers);
      for (let cycle = 0; cycle < CYCLES; cycle++) {
        const service = await campaign.start();
        const { ended } = await campaign.load(service);
        await sleep(campaign.random() * 300);
        for (const pid of victimsOf(service)) process.kill(pid, 'SIGKILL');
        await expectWithin(FREE_MS, async () => (await campaign.probe()) === 'ECONNREFUSED');
        await ended;
        await service.exited;
      }
      await campaign.finish();
    },
    60_000 + CYCLES * 10_000,
  );

  test(
    'one worker: only its own connections break, it is replaced, and nothing is lost',
    async () => {
      const campaign = await Campaign.prepare(2);
      for (let kills = 0; kills < CYCLES; kills += WORKER_KILLS_PER_SERVICE) {
        const service = await campaign.start();
        for (let kill = 0; kill < WORKER_KILLS_PER_SERVICE; kill++) {
          const stop = new AbortController();
          const { ended } = await campaign.load(service, stop.signal);
          await sleep(campaign.random() * 300);
          const victim = await campaign.findServingPid(service);
          process.kill(victim, 'SIGKILL');
          // A process that is killed may accept one connection more, in the system call that it was in.
          await expectWithin(LIMIT_MS, () => !isAlive(victim));
          const answered = answeringPids(service.stdout()).size;
          await expectWithin(LIMIT_MS, async () => {
            // On new connections, none of which may fail.
            expect(await campaign.probe('/messages?limit=1')).toBe(200);
            return answeringPids(service.stdout()).size > answered;
          });
          stop.abort();
          const broken = (await ended).filter(({ broke }) => broke);
          const log = service.stdout();
          // The last lines of a process that is killed may be lost, so that some answers are nobody's.
          const culprits = new Set(broken.map(({ firstRequest }) => answeringPid(log, firstRequest) ?? victim));
          expect(culprits).toEqual(new Set([victim]));
        }
        service.child.kill('SIGTERM');
        expect(await service.exited).toBe(0);
      }
      await campaign.finish();
    },
    60_000 + CYCLES * 10_000,
  );
});
