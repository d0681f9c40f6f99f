import { RollingMaximum } from '../../../src/observability/metrics/rolling-maximum.ts';

const START = 1_000_003;

test('the largest of the last minute, however often it is read', () => {
  const maximum = new RollingMaximum();
  expect(maximum.read(START)).toBe(0);
  maximum.record(3, START);
  maximum.record(9, START + 1);
  maximum.record(5, START + 2);
  maximum.record(4, START + 40_000);
  for (let read = 0; read < 3; read++) expect(maximum.read(START + 40_000)).toBe(9);
  expect(maximum.read(START + 60_000)).toBe(9);
  expect(maximum.read(START + 66_000)).toBe(4);
  expect(maximum.read(START + 106_000)).toBe(0);
});

test('a place in time that comes round again begins anew', () => {
  const maximum = new RollingMaximum();
  maximum.record(9, START);
  maximum.record(2, START + 65_000);
  expect(maximum.read(START + 65_000)).toBe(2);
});
