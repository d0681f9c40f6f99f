import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { load } from './measure.js';
import { startServer } from './servers.js';
import { works } from './works.js';

/** Works whose requests should leave nothing behind. */
const AGING_WORKS = ['get', 'message', 'post'];

/**
 * What a work costs in a process before and after it was idle. V8 collects all of its heap when there is nothing to do,
 * and only then do objects show that should have died young: garbage in the old generation keeps them alive.
 *
 * @typedef {object} Aging
 * @property {number} before CPU microseconds per request, before the process was idle
 * @property {number} after the same afterwards
 * @property {number} promoted bytes per request that came into the old generation, afterwards
 * @property {number} gcShare share of the time that garbage collection took on the main thread, afterwards
 */

/**
 * Measures Hashpost at some works, leaves it alone, and measures it again.
 *
 * @param {number} idleSeconds
 * @param {import('./measure.js').Setting} setting
 * @returns {Promise<Map<string, Aging>>} by work
 */
export async function measureAging(idleSeconds, setting) {
  const { folder, database, pins, progress } = setting;
  const server = await startServer('hashpost-traced', { folder, database, under: pins.server });
  const measure = (work) => load(server, { work, connections: works[work].connections, warmSeconds: 2 }, setting);
  const before = new Map();
  for (const work of AGING_WORKS) before.set(work, await measure(work));
  progress(`aging: idle for ${idleSeconds} s`);
  await sleep(idleSeconds * 1000);
  const aging = new Map();
  for (const work of AGING_WORKS) {
    const begin = readFileSync(server.logFile).length;
    const { cpuPerRequest, requestsPerSecond } = await measure(work);
    const trace = readFileSync(server.logFile).subarray(begin).toString();
    aging.set(work, {
      before: before.get(work).cpuPerRequest,
      after: cpuPerRequest,
      ...readTrace(trace, requestsPerSecond),
    });
    progress(`aging, ${work}: ${cpuPerRequest.toFixed(1)} µs, before ${before.get(work).cpuPerRequest.toFixed(1)} µs`);
  }
  await server.stop();
  return aging;
}

/** @param {string} trace the lines of `--trace-gc-nvp`, among others */
function readTrace(trace, requestsPerSecond) {
  const collections = trace.split('\n').filter((line) => line.includes(' pause='));
  const total = (name) => {
    const pattern = new RegExp(` ${name}=([\\d.]+)`);
    return collections.reduce((sum, line) => sum + Number(pattern.exec(line)?.[1] ?? 0), 0);
  };
  const seconds = (total('pause') + total('mutator')) / 1000;
  return {
    promoted: total('promoted') / (seconds * requestsPerSecond),
    gcShare: total('pause') / 1000 / seconds,
  };
}
