import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../observability/logger.ts';

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5000;

/** This many deaths within the window are a crash loop, not bad luck. */
const MAX_DEATHS = 10;
const DEATH_WINDOW_MS = 60_000;

/**
 * A worker that could not start, or workers that keep dying. `message` is empty where the reason has been told already;
 * `exitCode` is what the process should end with.
 */
export class WorkersFailedError extends Error {
  override readonly name = 'WorkersFailedError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Keeps a number of processes sharing one port alive. Runs in the primary process. */
export class Workers {
  readonly #logger: Logger;
  #deaths: number[] = [];
  #stopping = false;
  readonly #failed = Promise.withResolvers<never>();

  /** Rejects with WorkersFailedError when the workers were given up; never resolves. */
  readonly failed = this.#failed.promise;

  constructor(logger: Logger) {
    this.#logger = logger;
    // Workers accept from one shared socket. Round-robin, Node's default, accepts in the primary and passes connections
    // on; one that is on its way to a worker that dies is neither answered nor closed, and its client waits for ever.
    cluster.schedulingPolicy = cluster.SCHED_NONE;
  }

  /**
   * Starts the first worker alone, so that what keeps it from starting is said once, then the others.
   * @returns the port, when all listen.
   */
  async start(count: number): Promise<number> {
    const port = await this.#fork();
    await Promise.all(Array.from({ length: count - 1 }, () => this.#fork()));
    return port;
  }

  /** Lets every worker finish what it is doing and end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    await Promise.all(
      workers.map(async (worker) => {
        const ended = once(worker, 'exit');
        worker.process.kill('SIGTERM');
        await ended;
      }),
    );
  }

  /** A getter, because it may change while a method waits. */
  get #isStopping(): boolean {
    return this.#stopping;
  }

  async #fork(): Promise<number> {
    const worker = cluster.fork();
    const listening = once(worker, 'listening') as Promise<[{ port: number }]>;
    const exited = once(worker, 'exit') as Promise<[number | null]>;
    const first = await Promise.race([listening, exited.then(([code]) => ({ code }))]);
    // The worker has said why.
    if ('code' in first) throw new WorkersFailedError('', first.code ?? 1);
    void exited.then(() => this.#replace(worker));
    return first[0].port;
  }

  /** After a pause that doubles with every recent death; gives up on a crash loop. */
  async #replace(dead: Worker): Promise<void> {
    if (this.#stopping) return;
    const now = performance.now();
    this.#deaths = [...this.#deaths.filter((time) => now - time < DEATH_WINDOW_MS), now];
    const deaths = this.#deaths.length;
    this.#logger.error({ worker: dead.process.pid, deaths }, 'a worker died');
    if (deaths > MAX_DEATHS) {
      this.#failed.reject(new WorkersFailedError(`workers died ${deaths} times in a minute`, 1));
      return;
    }
    await sleep(Math.min(FIRST_DELAY_MS * 2 ** (deaths - 1), MAX_DELAY_MS));
    try {
      if (!this.#isStopping) await this.#fork();
    } catch {
      await this.#replace(dead);
    }
  }
}
