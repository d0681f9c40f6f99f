import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../errors.ts';
import { isServerFailure } from './postgres-error.ts';

/** Between two probes; spread, so that many instances do not all knock at once when a server comes back. */
const PROBE_MS = { least: 200, most: 400 } as const;

/**
 * Spares a server that is down, and its callers the wait for it. A failure that may be the server's has it probed at
 * once; if the probe fails too, every call is refused without asking, until a probe succeeds. Probing is done aside, so
 * that no caller has to wait to find out, and a server that only answers one kind of statement late is not shut off.
 */
export class Breaker {
  readonly #probe: () => Promise<unknown>;
  readonly #closing = new AbortController();
  #isOpen = false;
  #isProbing = false;

  constructor(probe: () => Promise<unknown>) {
    this.#probe = probe;
  }

  /** Whether calls are refused. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** @throws AppError STORE_UNAVAILABLE while the server is known to be down, else what the operation throws. */
  async run<Result>(operation: () => Promise<Result>): Promise<Result> {
    if (this.#isOpen) throw new AppError('STORE_UNAVAILABLE');
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
    while (!signal.aborted && !(await this.#isWell())) {
      this.#isOpen = true;
      const ms = PROBE_MS.least + Math.random() * (PROBE_MS.most - PROBE_MS.least);
      await sleep(ms, undefined, { signal }).catch(() => undefined);
    }
    this.#isOpen = false;
    this.#isProbing = false;
  }

  async #isWell(): Promise<boolean> {
    try {
      await this.#probe();
      return true;
    } catch {
      return false;
    }
  }
}
