/** What a sketch knows of one key: its weight is at most `count` and at least `count - error`. */
export interface Estimate {
  readonly count: number;
  readonly error: number;
}

/** A sketch as it was at one moment. */
export interface SketchState {
  readonly entries: readonly (readonly [key: string, estimate: Estimate])[];
  /** The weight of a key that is not among the entries is at most this. */
  readonly floor: number;
}

/**
 * The heaviest keys of a stream, in bounded memory whatever comes (Metwally, Agrawal, El Abbadi: "Efficient computation
 * of frequent and top-k elements in data streams", 2005). A key that is not kept takes the place, and the count, of the
 * lightest one. Whoever has more than 1/capacity of the whole is kept, and no error is larger than that share.
 */
export class SpaceSaving {
  readonly #capacity: number;
  readonly #kept = new Map<string, { count: number; error: number }>();
  /** The count of the lightest when it was last looked for. */
  #least = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  add(key: string, weight: number): void {
    const known = this.#kept.get(key);
    if (known) {
      known.count += weight;
      return;
    }
    let floor = 0;
    if (this.#kept.size === this.#capacity) {
      const [lightest, { count }] = this.#findLightest();
      this.#kept.delete(lightest);
      floor = count;
    }
    this.#kept.set(key, { count: floor + weight, error: floor });
  }

  get state(): SketchState {
    return {
      entries: [...this.#kept].map(([key, estimate]) => [key, { ...estimate }]),
      floor: this.#kept.size < this.#capacity ? 0 : this.#findLightest()[1].count,
    };
  }

  /** A look at all of them takes a microsecond; only keys that are new pay for it. */
  #findLightest(): readonly [string, Estimate] {
    let lightest: readonly [string, Estimate] = ['', { count: Infinity, error: 0 }];
    for (const entry of this.#kept) {
      if (entry[1].count < lightest[1].count) lightest = entry;
      // Nothing is ever lighter than the lightest was, so most of a stream of ones need not be looked at.
      if (lightest[1].count === this.#least) break;
    }
    this.#least = lightest[1].count;
    return lightest;
  }
}

/** One estimate of each key over streams that were counted apart; a sketch that does not keep it may have lost it. */
export function mergeSketches(sketches: readonly SketchState[]): ReadonlyMap<string, Estimate> {
  const total = sketches.reduce((sum, { floor }) => sum + floor, 0);
  const merged = new Map<string, { count: number; error: number }>();
  for (const { entries, floor } of sketches) {
    for (const [key, { count, error }] of entries) {
      const sum = merged.get(key) ?? { count: total, error: total };
      merged.set(key, { count: sum.count + count - floor, error: sum.error + error - floor });
    }
  }
  return merged;
}
