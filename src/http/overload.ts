import { getHeapStatistics } from 'node:v8';
import { AppError } from '../errors.ts';
import type { Logger } from '../observability/logger.ts';
import type { Policy } from './policies.ts';

/** How often the load is looked at. */
const TICK_MS = 50;

/**
 * While requests are refused, the work of a tick should take about this long: a request waits for one or two of them. In
 * time of the processor: where others keep it from us, refusing what we could do helps nobody.
 */
const TARGET_MS = 100;

/** Two ticks in a row with more work are more than the process can do. */
const LATE_MS = 150;

/** So is one that took this long by the clock: whatever it was, requests have piled up meanwhile. */
const STALL_MS = 1500;

/** Ends when nothing had to be refused for this many ticks. */
const CALM_TICKS = 20;

/** However bad things are, some requests are tried in each tick: how else would one notice that they are better? */
const MIN_QUOTA = 4;

/** Of what the old generation may have. The garbage collector still has room to find out what of it is needed. */
const HEAP_SHARE = 0.85;

/** Part of V8's limit, by its defaults, but for the young generation alone. */
const YOUNG_BYTES = 192 * 1024 * 1024;

/** Requests that wait, mostly for the store; each may hold a body. */
const MAX_IN_FLIGHT = 1000;

/** Always the same, because the stack trace of a new one costs more than the rest of the answer. */
const overloaded = new AppError('OVERLOADED');

/**
 * Knows how many requests the process can take before it gets slow, by how much it works between two ticks of a timer: in
 * a process that has more to do than it can, a tick waits for all requests that have arrived. Requests beyond that number are refused.
 */
export class Overload implements Admission, Disposable {
  readonly #logger: Logger;
  readonly #timer: NodeJS.Timeout;
  #lastTick = performance.now();
  #cpu = process.threadCpuUsage();
  #wasLate = false;
  #calmTicks = 0;
  /** Of each tick. */
  #quota = Infinity;
  #admitted = 0;
  #refused = 0;
  #refusedInAll = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#timer = setInterval(() => {
      this.#tick();
    }, TICK_MS).unref();
  }

  admit(): boolean {
    if (this.#admitted < this.#quota) {
      this.#admitted++;
      return true;
    }
    this.#refused++;
    return false;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    const { user, system } = process.threadCpuUsage(this.#cpu);
    const workMs = (user + system) / 1000;
    const isHeapFull = isHeapNearlyFull();
    const isStall = now - this.#lastTick > STALL_MS;
    const isLate = workMs > LATE_MS;
    if (this.#quota !== Infinity) this.#adapt(workMs, isHeapFull);
    else if (isHeapFull || isStall || (isLate && this.#wasLate)) this.#begin(workMs, isHeapFull);
    this.#lastTick = now;
    this.#cpu = process.threadCpuUsage();
    this.#wasLate = isLate;
    this.#refusedInAll += this.#refused;
    this.#admitted = this.#refused = 0;
  }

  #begin(workMs: number, isHeapFull: boolean): void {
    this.#quota = this.#affordable(workMs);
    this.#calmTicks = this.#refusedInAll = 0;
    this.#logger.warn({ workMs: Math.round(workMs), isHeapFull }, 'overloaded: requests are refused');
  }

  /** As much less as the work was too much, or a little more. */
  #adapt(workMs: number, isHeapFull: boolean): void {
    if (isHeapFull) this.#quota = Math.max(MIN_QUOTA, this.#quota / 2);
    else if (workMs > TARGET_MS) this.#quota = this.#affordable(workMs);
    else if (this.#refused > 0) this.#quota *= 1.25;
    this.#calmTicks = this.#refused > 0 || isHeapFull ? 0 : this.#calmTicks + 1;
    if (this.#calmTicks < CALM_TICKS) return;
    this.#quota = Infinity;
    this.#logger.info({ refused: this.#refusedInAll }, 'not overloaded any more');
  }

  #affordable(workMs: number): number {
    return Math.max(MIN_QUOTA, (this.#admitted * TARGET_MS) / Math.max(TARGET_MS, workMs));
  }
}

function isHeapNearlyFull(): boolean {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return used > HEAP_SHARE * (limit - YOUNG_BYTES);
}

/** Whether there is room for one request more. */
export interface Admission {
  /** Counts a request. @returns whether it should be answered. */
  admit(): boolean;
}

export interface ShedOptions {
  readonly overload: Admission;
  /** Requests that have no answer yet, this one included. */
  readonly inFlight: () => number;
}

/**
 * Refuses what the process cannot take, before it costs more than its headers. Whoever asks after the health of the
 * process has an answer: one that is busy must not be restarted for it.
 */
export function shedLoad({ overload, inFlight }: ShedOptions): Policy {
  return function shedLoad({ url = '' }) {
    const isAdmitted = inFlight() <= MAX_IN_FLIGHT && overload.admit();
    if (!isAdmitted && url !== '/health' && url !== '/health/ready') throw overloaded;
  };
}
