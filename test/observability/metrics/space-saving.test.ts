import fc from 'fast-check';
import { mergeSketches, SpaceSaving, type Estimate } from '../../../src/observability/metrics/space-saving.ts';

const CAPACITY = 8;

type Stream = readonly (readonly [key: string, weight: number])[];

const anyStream: fc.Arbitrary<Stream> = fc.array(
  fc.tuple(
    // Few that come often among many that come once.
    fc.oneof(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 200 }).map(String)),
    fc.integer({ min: 1, max: 1000 }),
  ),
  { maxLength: 300 },
);

function sketchOf(stream: Stream): SpaceSaving {
  const sketch = new SpaceSaving(CAPACITY);
  for (const [key, weight] of stream) sketch.add(key, weight);
  return sketch;
}

function weightsOf(stream: Stream): Map<string, number> {
  const weights = new Map<string, number>();
  for (const [key, weight] of stream) weights.set(key, (weights.get(key) ?? 0) + weight);
  return weights;
}

function assertBounds(estimates: ReadonlyMap<string, Estimate>, weights: ReadonlyMap<string, number>): void {
  for (const [key, { count, error }] of estimates) {
    const weight = weights.get(key) ?? 0;
    expect(weight).toBeLessThanOrEqual(count);
    expect(weight).toBeGreaterThanOrEqual(count - error);
  }
}

test('keeps every key above its share of the whole, with an error below that share, in bounded memory', () => {
  fc.assert(
    fc.property(anyStream, (stream) => {
      const { entries, floor } = sketchOf(stream).state;
      const weights = weightsOf(stream);
      const share = stream.reduce((sum, [, weight]) => sum + weight, 0) / CAPACITY;
      const estimates = new Map(entries);
      expect(entries.length).toBeLessThanOrEqual(CAPACITY);
      expect(floor).toBeLessThanOrEqual(share);
      assertBounds(estimates, weights);
      for (const { error } of estimates.values()) expect(error).toBeLessThanOrEqual(share);
      for (const [key, weight] of weights) {
        if (weight > share) expect(estimates.has(key)).toBe(true);
        if (!estimates.has(key)) expect(weight).toBeLessThanOrEqual(floor);
      }
    }),
  );
});

test('merged, the bounds hold for the streams together', () => {
  fc.assert(
    fc.property(fc.array(anyStream, { maxLength: 4 }), (streams) => {
      const merged = mergeSketches(streams.map((stream) => sketchOf(stream).state));
      assertBounds(merged, weightsOf(streams.flat()));
    }),
  );
});
