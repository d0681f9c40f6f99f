import { monitorEventLoopDelay } from 'node:perf_hooks';
import { RollingMaximum } from './rolling-maximum.ts';

const RESOLUTION_MS = 20;
const SLICE_MS = 10_000;

/** How long what is due waits until the event loop comes to it, in slices of ten seconds. */
export class EventLoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #p99 = new RollingMaximum();
  readonly #maximum = new RollingMaximum();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#histogram.enable();
    this.#timer = setInterval(() => {
      this.#record();
      this.#histogram.reset();
    }, SLICE_MS).unref();
  }

  /** In seconds, of the last minute: the largest delay, and the 99th percentile of the slice where that is largest. */
  read(): { readonly p99: number; readonly max: number } {
    this.#record();
    const now = performance.now();
    return { p99: this.#p99.read(now), max: this.#maximum.read(now) };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#histogram.disable();
  }

  #record(): void {
    const now = performance.now();
    this.#p99.record(toDelay(this.#histogram.percentile(99)), now);
    this.#maximum.record(toDelay(this.#histogram.max), now);
  }
}

/** @param nanoseconds from one tick to the next, which are the resolution where nothing is late. */
function toDelay(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS) / 1000;
}
