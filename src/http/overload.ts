import { getHeapStatistics } from 'node:v8';
import { AppError } from '../errors.ts';
import type { Logger } from '../observability/logger.ts';
import type { Policy } from './policies.ts';

/** How often the load is looked at, unless one turn of the event loop takes longer. */
const TICK_MS = 50;

/**
 * Requests are taken until so much work has been done since the last tick. In time of the processor: where others keep it
 * from us, refusing what we could do helps nobody.
 */
const CALM_BUDGET_MS = 250;

/** While requests are refused, those that are taken should be quick: a request may wait for one turn and then for its own. */
const BUSY_BUDGET_MS = 75;

/** However bad things are, some requests are tried: how else would one notice that they are better? */
const LEAST_BUDGET_MS = 5;

/** A tick that took this long by the clock: whatever stopped the process, requests have piled up meanwhile. */
const STALL_MS = 1500;

/** It is over when nothing had to be refused for this many ticks. */
const CALM_TICKS = 20;

/** Of what the old generation may have. The garbage collector still has room to find out what of it is needed. */
const HEAP_SHARE = 0.8;

/** The young generation's part of V8's limit, by its defaults. It is less where memory is small, by how much is not told. */
const YOUNG_BYTES = 192 * 1024 * 1024;
const YOUNG_SHARE = 1 / 3;

/** Requests that wait, mostly for the store; each may hold a body. */
const MAX_IN_FLIGHT = 1000;

/** Always the same, because the stack trace of a new one costs more than the rest of the answer. */
const overloaded = new AppError('OVERLOADED');

/**
 * Refuses requests while the process has more to do than it can. What has arrived is done in one turn of the event loop,
 * between two ticks of a timer; when a turn has cost its budget, whoever is still waiting in it is refused.
 */
export class Overload implements Admission, Disposable {
  readonly #logger: Logger;
  readonly #timer: NodeJS.Timeout;
  #lastTick = performance.now();
  #cpu = process.threadCpuUsage();
  #budgetMs = CALM_BUDGET_MS;
  #calmTicks = 0;
  #refused = 0;
  #refusedInAll = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#timer = setInterval(() => {
      this.#tick();
    }, TICK_MS).unref();
  }

  admit(): boolean {
    // The clock first: it costs next to nothing, and the work is never more than the time.
    if (performance.now() - this.#lastTick <= this.#budgetMs || this.#workMs() <= this.#budgetMs) return true;
    this.#refused++;
    return false;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Time of the processor since the last tick. */
  #workMs(): number {
    const { user, system } = process.threadCpuUsage(this.#cpu);
    return (user + system) / 1000;
  }

  #tick(): void {
    const now = performance.now();
    const isHeapFull = isHeapNearlyFull();
    const isStrained = isHeapFull || now - this.#lastTick > STALL_MS;
    if (isStrained || this.#refused > 0) this.#goOn(isHeapFull, isStrained ? LEAST_BUDGET_MS : BUSY_BUDGET_MS);
    else if (this.#budgetMs !== CALM_BUDGET_MS && ++this.#calmTicks === CALM_TICKS) this.#end();
    this.#lastTick = now;
    this.#cpu = process.threadCpuUsage();
    this.#refusedInAll += this.#refused;
    this.#refused = 0;
  }

  #goOn(isHeapFull: boolean, budgetMs: number): void {
    if (this.#budgetMs === CALM_BUDGET_MS) {
      this.#refusedInAll = 0;
      this.#logger.warn({ workMs: Math.round(this.#workMs()), isHeapFull }, 'overloaded: requests are refused');
    }
    this.#budgetMs = budgetMs;
    this.#calmTicks = 0;
  }

  #end(): void {
    this.#budgetMs = CALM_BUDGET_MS;
    this.#logger.info({ refused: this.#refusedInAll }, 'not overloaded any more');
  }
}

function isHeapNearlyFull(): boolean {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return used > HEAP_SHARE * (limit - Math.min(YOUNG_BYTES, YOUNG_SHARE * limit));
}

/** Whether there is room for one request more. */
export interface Admission {
  /** @returns whether a request should be answered. */
  admit(): boolean;
}

export interface ShedOptions {
  readonly overload: Admission;
  readonly traffic: { readonly inFlight: number };
}

/**
 * Refuses requests that the process cannot take, before they cost more than their heads. Health checks are always
 * answered: a process must not be restarted because it is busy.
 */
export function shedLoad({ overload, traffic }: ShedOptions): Policy {
  return function shedLoad({ route }) {
    const isAdmitted = traffic.inFlight <= MAX_IN_FLIGHT && overload.admit();
    if (!isAdmitted && route?.isProbe !== true) throw overloaded;
  };
}
