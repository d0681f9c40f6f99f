import type { ErrorCode } from '../../errors.ts';
import type { RequestObserver } from '../../http/observe-requests.ts';
import { Callers, type CallersState } from './callers.ts';
import { EventLoopDelay } from './event-loop-delay.ts';
import { gauge, type Family } from './family.ts';
import { processFamilies } from './process-metrics.ts';
import { RequestMetrics } from './request-metrics.ts';
import { StoreMetrics, type StoreSource } from './store-metrics.ts';

/** All that one process has to tell. It is sent from worker to primary, so it is plain data. */
export interface ProcessReport {
  readonly families: readonly Family[];
  /** Of a process that answers requests. */
  readonly callers?: CallersState;
}

/** What is asked only when somebody wants to know. */
export interface Sources extends StoreSource {
  readonly listener: { readonly connections: number };
  /** The one that clients are shown now. */
  readonly certificate: () => { readonly validToDate: Date };
}

export interface MetricsOptions {
  readonly version: string;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/** What a process that answers requests keeps count of. Nothing in it holds a text, a sha, a path or a secret. */
export class Metrics {
  readonly #version: string;
  readonly #requests = new RequestMetrics();
  readonly #callers: Callers;
  readonly #store = new StoreMetrics();
  readonly #delay = new EventLoopDelay();

  constructor({ version, now }: MetricsOptions) {
    this.#version = version;
    this.#callers = new Callers(now);
  }

  readonly recordRequest: RequestObserver = (context, timing) => {
    this.#requests.record(context, timing);
    this.#callers.record(context.address, context.receivedBytes + context.sentBytes);
  };

  /** What was refused before it became a request. */
  readonly recordRefusal = (code: ErrorCode): void => {
    this.#requests.recordError(code, 'other');
  };

  /** @param method of the store. */
  readonly recordStoreCall = (method: string, milliseconds: number): void => {
    this.#store.recordCall(method, milliseconds);
  };

  async report(sources: Sources): Promise<ProcessReport> {
    const expiry = sources.certificate().validToDate.getTime() / 1000;
    return {
      families: [
        ...processFamilies(this.#delay, this.#version),
        gauge('hashpost_workers', 'Processes that answer requests.', 1),
        gauge('hashpost_connections', 'Connections that are open.', sources.listener.connections),
        gauge('hashpost_certificate_expiry_timestamp_seconds', 'When the certificate ends, Unix time.', expiry, 'min'),
        ...this.#requests.families(),
        ...(await this.#store.families(sources)),
      ],
      callers: this.#callers.state,
    };
  }

  [Symbol.dispose](): void {
    this.#delay.close();
  }
}
