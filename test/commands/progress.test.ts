import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Progress } from '../../src/commands/progress.ts';

function capture(isTTY: boolean): { out: PassThrough & { isTTY: boolean }; written: () => string } {
  const out = Object.assign(new PassThrough(), { isTTY });
  return { out, written: () => String(out.read() ?? '') };
}

test('on a terminal: a bar with share, rate and time left, redrawn in its place, not at every step, taken away', async () => {
  const { out, written } = capture(true);
  const progress = new Progress(out, 'copying', 400, 100);
  progress.update(150);
  expect(written()).toBe('');
  await sleep(120);
  progress.update(200);
  const [, rate = '', left = ''] =
    /^\rcopying \[#{12}\.{12}\] 50 %, 200 of 400, (\d+)\/s, (\d+) s left\x1b\[K$/.exec(written()) ?? [];
  // Of those done in this run.
  expect(Number(rate)).toBeGreaterThan(0);
  expect(Number(rate)).toBeLessThanOrEqual(100 / 0.12);
  expect(Number(left)).toBeGreaterThan(0);
  progress.clear();
  progress.clear();
  expect(written()).toBe('\r\x1b[K');
});

test('elsewhere: nothing at first', async () => {
  const { out, written } = capture(false);
  const progress = new Progress(out, 'copying', 400);
  await sleep(120);
  progress.update(200);
  progress.clear();
  expect(written()).toBe('');
});
