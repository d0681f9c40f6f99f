import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/**
 * What requests leave behind dies young. V8 lets the space for it grow with the machine's memory, up to 128 MiB; beyond
 * this size we measured no gain.
 */
const ENOUGH_BYTES = 32 * 1024 * 1024;

/**
 * Ends the growth of the young generation once it is large enough, so that a process stays small on a large machine.
 * Its maximum can only be set on the command line, which is not ours; the factor of its growth is read at each growth.
 */
export function boundYoungGeneration(): void {
  const observer = new PerformanceObserver(() => {
    const youngGeneration = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
    if (youngGeneration && youngGeneration.space_size < ENOUGH_BYTES) return;
    setFlagsFromString('--semi-space-growth-factor=1');
    observer.disconnect();
  });
  observer.observe({ entryTypes: ['gc'] });
}
