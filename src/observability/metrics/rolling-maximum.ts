const SLOT_MS = 5000;

/** Of which one is not over yet. */
const SLOTS = 13;

/**
 * The largest value of the last 60 to 65 seconds. Reading changes nothing, so that several may read, each as often as it
 * likes, and all see the same.
 */
export class RollingMaximum {
  readonly #maxima = new Array<number>(SLOTS).fill(0);
  /** Which stretch of time each slot holds, counted from the clock's zero. */
  readonly #slots = new Array<number>(SLOTS).fill(-Infinity);

  /** @param now In milliseconds of any clock that does not go back. */
  record(value: number, now: number): void {
    const slot = Math.floor(now / SLOT_MS);
    const index = slot % SLOTS;
    if (this.#slots[index] !== slot) {
      this.#slots[index] = slot;
      this.#maxima[index] = value;
    } else if (value > Number(this.#maxima[index])) {
      this.#maxima[index] = value;
    }
  }

  /** @returns 0 where nothing was recorded lately. */
  read(now: number): number {
    const oldest = Math.floor(now / SLOT_MS) - SLOTS;
    return Math.max(0, ...this.#maxima.filter((_, index) => Number(this.#slots[index]) > oldest));
  }
}
