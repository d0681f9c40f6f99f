import { RollingMaximum } from './rolling-maximum.ts';

/** In seconds: a cached lookup, a page, a synced write, a busy store, a slow client. */
export const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10] as const;

/** Durations of one kind, counted by size as a Prometheus histogram wants them. */
export class Durations {
  /** The last place is for what is above all bounds. */
  readonly #counts = new Array<number>(BOUNDS.length + 1).fill(0);
  readonly #maximum = new RollingMaximum();
  #sum = 0;

  /** @param now of `performance.now()`. */
  record(seconds: number, now: number): void {
    let index = 0;
    while (index < BOUNDS.length && seconds > Number(BOUNDS[index])) index++;
    this.#counts[index] = Number(this.#counts[index]) + 1;
    this.#sum += seconds;
    this.#maximum.record(seconds, now);
  }

  get sum(): number {
    return this.#sum;
  }

  get count(): number {
    return this.cumulative().at(-1) ?? 0;
  }

  /** How many were at most as long as each bound, then how many there were. */
  cumulative(): readonly number[] {
    let total = 0;
    return this.#counts.map((count) => (total += count));
  }

  /** The largest of the last minute, in seconds; 0 where there was none. */
  maximum(now: number): number {
    return this.#maximum.read(now);
  }
}
