import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/**
 * What requests leave behind dies young. V8 lets the space for it grow with the machine's memory, up to 128 MiB; beyond
 * this size we measured no gain.
 */
const ENOUGH_BYTES = 32 * 1024 * 1024;

/**
 * Keeps the young generation from growing beyond what is enough, so that a process stays small on a large machine. Its
 * maximum can only be set on the command line, which is not ours; the factor of its growth is read at each growth. When
 * there is little to do V8 makes it small again, and it has to be able to grow from there.
 */
export function boundYoungGeneration(): void {
  let mayGrow = true;
  const observer = new PerformanceObserver(() => {
    const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
    const isSmall = space !== undefined && space.space_size < ENOUGH_BYTES;
    if (isSmall === mayGrow) return;
    mayGrow = isSmall;
    setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`);
  });
  observer.observe({ entryTypes: ['gc'] });
}
