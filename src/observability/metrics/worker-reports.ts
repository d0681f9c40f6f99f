import cluster, { type Worker } from 'node:cluster';
import {
  onPrimaryMessage,
  onWorkerMessage,
  runningWorkers,
  sendToPrimary,
  sendToWorker,
} from '../../processes/channel.ts';
import { sumTotals, type Family } from './family.ts';
import type { ProcessReport } from './metrics.ts';

/** If a worker does not reply within this time, its last report is used. */
const REPLY_LIMIT_MS = 1000;

/** In a worker: reports to the primary when that asks, until it is disposed of. */
export function reportToPrimary(report: () => Promise<ProcessReport>): AsyncDisposable {
  const stopListening = onPrimaryMessage('collectMetrics', () => {
    report().then(
      (metrics) => {
        sendToPrimary('metrics', metrics);
      },
      // The primary then uses the last report.
      () => undefined,
    );
  });
  return {
    [Symbol.asyncDispose]() {
      stopListening();
      return Promise.resolve();
    },
  };
}

/**
 * The primary's half. No worker can make it wait for long, or fail. Sums of totals must not go down, which would look as
 * if the whole service had begun anew: a worker that does not answer, or is gone, counts with the totals that it last
 * told. What a worker counted between its last answer and its death is lost.
 */
export class WorkerReports {
  /** By worker id. */
  readonly #last = new Map<number, ProcessReport>();
  readonly #waiting = new Map<number, (report: ProcessReport | undefined) => void>();
  #ofTheDead: (readonly Family[])[] = [];
  #deaths = 0;

  constructor() {
    onWorkerMessage('metrics', (worker, metrics) => {
      this.#last.set(worker.id, metrics);
      this.#waiting.get(worker.id)?.(metrics);
    });
    cluster.on('exit', (worker) => {
      this.#deaths++;
      const last = this.#last.get(worker.id);
      if (last) this.#ofTheDead.push(last.families);
      this.#last.delete(worker.id);
      this.#waiting.get(worker.id)?.(undefined);
    });
  }

  /** How many workers have ended. */
  get deaths(): number {
    return this.#deaths;
  }

  /** Of those that answer, and the totals of all others. To be called again only when it has resolved. */
  async collect(): Promise<readonly ProcessReport[]> {
    const answers = new Map(
      await Promise.all(runningWorkers().map(async (worker) => [worker.id, await this.#ask(worker)] as const)),
    );
    // One who has died while others were waited for is among the dead already.
    const fresh = [...answers].flatMap(([id, answer]) => (answer && this.#last.has(id) ? [answer] : []));
    const silent = [...this.#last].filter(([id]) => !answers.get(id)).map(([, { families }]) => families);
    // However many have died, they are kept as one.
    const dead = await sumTotals(this.#ofTheDead.splice(0));
    this.#ofTheDead.push(dead);
    return [...fresh, { families: await sumTotals([dead, ...silent]) }];
  }

  #ask(worker: Worker): Promise<ProcessReport | undefined> {
    return new Promise((resolve) => {
      const settle = (report: ProcessReport | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(worker.id);
        resolve(report);
      };
      const timer = setTimeout(settle, REPLY_LIMIT_MS, undefined);
      this.#waiting.set(worker.id, settle);
      sendToWorker(worker, 'collectMetrics', null);
    });
  }
}
