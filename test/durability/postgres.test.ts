import { setTimeout as sleep } from 'node:timers/promises';
import { shaOf } from '../../src/messages/message.ts';
import { expectWithin } from '../support/expect-within.ts';
import { isRefusal, listOf, startInstance, type Instance } from '../support/instance.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { startFollower, startPostgres } from '../support/postgres.ts';
import { createRandom } from '../support/random.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { WriteLoad } from '../support/write-load.ts';

/** PG_KILL_CYCLES=20 PG_FAILOVERS=5 for a campaign. */
const KILL_CYCLES = Number(process.env['PG_KILL_CYCLES'] ?? 2);
const FAILOVERS = Number(process.env['PG_FAILOVERS'] ?? 1);
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

const WRITERS = 16;
const READERS = 4;

/** Within 2 s the service answers again when the database does; a busy machine may take more. */
const RECOVERY_MS = 5_000;
const LIMIT_MS = 20_000;

afterEach(disposeLeftovers);

const random = createRandom(SEED);

/** Clients that write and read without a pause, whatever becomes of the database. */
class Load {
  readonly writes = new WriteLoad(isRefusal);
  readonly #service: Instance;
  readonly #stop = new AbortController();
  readonly #ended: Promise<unknown>;
  #listed: readonly string[] = [];
  #reads = 0;

  constructor(service: Instance) {
    this.#service = service;
    const { signal: stop } = this.#stop;
    const writers = Array.from({ length: WRITERS }, async () => {
      // The service lives through all of it.
      expect(await this.writes.write(service.connect(), { stop })).toBe(false);
    });
    this.#ended = Promise.all([...writers, ...Array.from({ length: READERS }, () => this.#read(stop))]);
    // Also where the test ends before it waits for them.
    this.#ended.catch(() => undefined);
  }

  /** Resolves, with the milliseconds that it took, when so many more writes are acknowledged. */
  async acknowledgedMore(count: number, limitMs = LIMIT_MS): Promise<number> {
    const goal = this.writes.acknowledged.size + count;
    const more = expectWithin(limitMs, () => this.writes.acknowledged.size >= goal);
    const took = await Promise.race([more, this.#ended]);
    return took as number;
  }

  /** The list has what was acknowledged, in its order, behind what it had before. */
  async check(): Promise<void> {
    const acknowledged = [...this.writes.acknowledged.keys()];
    const list = await listOf(this.#service.client);
    expect(list.slice(0, this.#listed.length)).toEqual(this.#listed);
    const known = new Set(list);
    expect(acknowledged.filter((text) => !known.has(shaOf(text)))).toEqual([]);
    this.#listed = list;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
    const list = await listOf(this.#service.client);
    expect(list.slice(0, this.#listed.length)).toEqual(this.#listed);
    this.writes.assertKept(list);
    for (const text of [...this.writes.acknowledged.keys()].slice(-100)) {
      expect((await this.#service.client.get(`/messages/${shaOf(text)}`)).json).toEqual({ message: text });
    }
    expect(this.#reads).toBeGreaterThan(0);
    expect(this.#service.stdout()).not.toContain('"code":"INTERNAL"');
    this.#service.child.kill('SIGTERM');
    expect(await this.#service.exited).toBe(0);
  }

  /** What was acknowledged is found, or nothing is said about it. */
  async #read(stop: AbortSignal): Promise<void> {
    const client = this.#service.connect();
    while (!stop.aborted) {
      const texts = [...this.writes.acknowledged.keys()];
      const text = texts[Math.floor(random() * texts.length)];
      await sleep(20);
      if (text === undefined) continue;
      const answer = await client.get(`/messages/${shaOf(text)}`);
      if (isRefusal(answer)) continue;
      expect([answer.status, answer.text]).toEqual([200, JSON.stringify({ message: text })]);
      this.#reads++;
    }
  }
}

const range = (times: readonly number[]): string =>
  `${Math.min(...times).toFixed()} to ${Math.max(...times).toFixed()} ms`;

test(
  `PostgreSQL is killed under load, ${KILL_CYCLES} times, SEED=${SEED}: nothing is lost, the service goes on`,
  async () => {
    const postgres = await startPostgres();
    const load = new Load(await startInstance({ DATABASE_URL: postgres.url }));
    const recoveries = [];
    for (let cycle = 0; cycle < KILL_CYCLES; cycle++) {
      await load.acknowledgedMore(WRITERS);
      await sleep(random() * 300);
      await postgres.kill();
      await sleep(random() * 1_000);
      await postgres.start();
      recoveries.push(await load.acknowledgedMore(1, RECOVERY_MS));
      await load.check();
    }
    await load.stop();
    console.info(`${load.writes.acknowledged.size} acknowledged, 0 lost; answered again after ${range(recoveries)}`);
  },
  60_000 + KILL_CYCLES * 15_000,
);

test(
  `failover to the synchronous follower, ${FAILOVERS} times: nothing that was acknowledged is lost`,
  async () => {
    let primary = await startPostgres();
    let follower = await startFollower(primary, { synchronous: true });
    const proxy = await startTcpProxy(primary.port);
    const load = new Load(await startInstance({ DATABASE_URL: proxy.through(primary.url) }));
    const recoveries = [];
    for (let cycle = 0; cycle < FAILOVERS; cycle++) {
      await load.acknowledgedMore(WRITERS);
      await sleep(random() * 300);
      // Every other time the old primary goes on for a while, and so do connections to it.
      if (cycle % 2 === 0) await primary.kill();
      await follower.promote();
      await sleep(random() * 500);
      proxy.retarget(follower.port);
      recoveries.push(await load.acknowledgedMore(1, RECOVERY_MS));
      await primary.remove();
      primary = follower;
      follower = await startFollower(primary, { synchronous: true });
      await load.check();
    }
    await load.stop();
    console.info(`${load.writes.acknowledged.size} acknowledged, 0 lost; answered again after ${range(recoveries)}`);
  },
  60_000 + FAILOVERS * 30_000,
);
