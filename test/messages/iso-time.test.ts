import fc from 'fast-check';
import { createIsoTime } from '../../src/messages/iso-time.ts';

test('a time is written as toISOString writes it, in whatever order times come', () => {
  const isoTime = createIsoTime();
  const near = fc.integer({ min: -70_000, max: 70_000 }).map((offset) => new Date(1_790_000_000_000 + offset));
  fc.assert(
    fc.property(fc.oneof(near, fc.date({ noInvalidDate: true })), (time) => {
      expect(isoTime(time)).toBe(time.toISOString());
    }),
    { numRuns: 5_000 },
  );
});
