import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Resolves when it has become true, with the milliseconds that it took.
 *
 * @throws Error when it does not within the limit.
 */
export async function expectWithin(limitMs: number, isTrue: () => boolean | Promise<boolean>): Promise<number> {
  const begun = performance.now();
  while (!(await isTrue())) {
    if (performance.now() - begun > limitMs) throw new Error(`not within ${limitMs} ms: ${isTrue.toString()}`);
    await sleep(10);
  }
  return performance.now() - begun;
}
