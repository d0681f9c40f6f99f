import cluster from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../observability/logger.ts';
import { shareTicketKeys } from '../http/ticket-keys.ts';
import { runningWorkers } from './channel.ts';

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
  readonly #stopping = new AbortController();
  readonly #failed = Promise.withResolvers<never>();
  #deaths: number[] = [];

  /** Never resolves; rejects with WorkersFailedError when the workers were given up. */
  readonly failed = this.#failed.promise;

  constructor(logger: Logger) {
    this.#logger = logger;
    // It may come while the workers still start, before anybody waits for it.
    this.failed.catch(() => undefined);
    // Workers accept from one shared socket. Round-robin, Node's default, accepts in the primary and passes connections
    // on; one that is on its way to a worker that dies is neither answered nor closed, and its client waits for ever.
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    shareTicketKeys();
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

  /** Lets every worker finish what it is doing and end, each as by this signal. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    this.#stopping.abort();
    await Promise.all(
      runningWorkers().map((worker) => {
        const ended = new Promise((resolve) => worker.once('exit', resolve));
        worker.process.kill(signal);
        return ended;
      }),
    );
  }

  /** Resolves with the port when the worker listens, and then replaces it when it dies. */
  #fork(): Promise<number> {
    const worker = cluster.fork();
    worker.on('error', (error) => {
      this.#logger.error({ err: error, worker: worker.process.pid }, 'a worker cannot be reached');
    });
    return new Promise((resolve, reject) => {
      let isListening = false;
      worker.once('listening', ({ port }: { port: number }) => {
        isListening = true;
        resolve(port);
      });
      worker.once('exit', (code: number | null, signal: string | null) => {
        if (!this.#stopping.signal.aborted) {
          this.#logger.error({ worker: worker.process.pid, code, signal }, 'a worker died');
        }
        if (isListening) void this.#replace();
        // The worker has said why.
        else reject(new WorkersFailedError('', code ?? 1));
      });
    });
  }

  /** After a pause that doubles with every recent death; gives up on a crash loop. */
  async #replace(): Promise<void> {
    const { signal } = this.#stopping;
    const now = performance.now();
    this.#deaths = [...this.#deaths.filter((time) => now - time < DEATH_WINDOW_MS), now];
    const deaths = this.#deaths.length;
    if (deaths > MAX_DEATHS) {
      this.#failed.reject(new WorkersFailedError(`workers died ${deaths} times in a minute`, 1));
      return;
    }
    try {
      await sleep(Math.min(FIRST_DELAY_MS * 2 ** (deaths - 1), MAX_DELAY_MS), undefined, { signal });
      await this.#fork();
    } catch {
      if (!signal.aborted) await this.#replace();
    }
  }
}
