import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../errors.ts';
import { isServerFailure } from './postgres-error.ts';

/** Between two probes; spread, so that many instances do not all knock at once when a server comes back. */
const PROBE_MS = { least: 200, most: 400 } as const;

export interface BreakerOptions {
  /** Rejects with what is wrong with the server. @param attempt counts from 0, for as long as the server is not well. */
  readonly probe: (attempt: number) => Promise<unknown>;
  /** Told why the server is taken for down, and nothing when it is well again. */
  readonly onChange: (failure?: Error) => void;
}

/**
 * Spares a server that is down, and its callers the wait for it. A failure that may be the server's has it probed at
 * once; if the probe fails too, every call is refused without asking, until a probe succeeds. Probing is done aside, so
 * that no caller has to wait to find out, and a server that only answers one kind of statement late is not shut off.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  readonly #closing = new AbortController();
  /** Of the last probe, while calls are refused. */
  #failure: Error | undefined;
  #isProbing = false;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  /** Whether calls are refused. */
  get isOpen(): boolean {
    return this.#failure !== undefined;
  }

  /** @throws AppError STORE_UNAVAILABLE at once while the server is known to be down, else what the operation throws. */
  async run<Result>(operation: () => Promise<Result>): Promise<Result> {
    // Without a cause: it has been told once, not for every request.
    if (this.#failure) throw new AppError('STORE_UNAVAILABLE');
    try {
      return await operation();
    } catch (error) {
      if (isServerFailure(error)) void this.#probeUntilWell();
      throw error;
    }
  }

  close(): void {
    this.#closing.abort();
  }

  async #probeUntilWell(): Promise<void> {
    if (this.#isProbing) return;
    this.#isProbing = true;
    const { signal } = this.#closing;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const failure = await this.#probe(attempt);
      if (this.isOpen !== (failure !== undefined)) this.#options.onChange(failure);
      this.#failure = failure;
      if (!failure) break;
      const ms = PROBE_MS.least + Math.random() * (PROBE_MS.most - PROBE_MS.least);
      await sleep(ms, undefined, { signal }).catch(() => undefined);
    }
    this.#isProbing = false;
  }

  /** @returns what is wrong with the server. One that only has no room for the probe is well. */
  async #probe(attempt: number): Promise<Error | undefined> {
    try {
      await this.#options.probe(attempt);
      return undefined;
    } catch (error) {
      return isServerFailure(error) ? (error as Error) : undefined;
    }
  }
}
