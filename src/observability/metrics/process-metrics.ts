import type { EventLoopDelay } from './event-loop-delay.ts';
import { counter, gauge, type Family } from './family.ts';

/** What this process takes of the machine, and whether it keeps up. */
export function processFamilies(delay: EventLoopDelay, version: string): Family[] {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  const { p99, max } = delay.read();
  const build = { version, node: process.versions.node };
  return [
    gauge('hashpost_build_info', 'What runs: always 1.', [{ labels: build, value: 1 }], 'max'),
    gauge('process_start_time_seconds', 'When it was started, Unix time.', performance.timeOrigin / 1000, 'min'),
    counter('process_cpu_seconds_total', 'CPU time, user and system, of all threads.', (user + system) / 1e6),
    gauge('process_resident_memory_bytes', 'Memory that is resident.', rss),
    gauge('nodejs_heap_used_bytes', 'Memory of JavaScript objects.', heapUsed),
    gauge(
      'nodejs_active_resources',
      'Handles and requests that Node.js has open: sockets, timers, files.',
      process.getActiveResourcesInfo().length,
    ),
    gauge(
      'nodejs_event_loop_delay_p99_seconds',
      'Event loop delay: the 99th percentile of ten seconds, the largest of the last minute.',
      p99,
      'max',
    ),
    gauge('nodejs_event_loop_delay_max_seconds', 'Event loop delay: the largest of the last minute.', max, 'max'),
  ];
}

/** How many processes should answer requests, and how many of them have died. */
export function workerFamilies(configured: number, deaths: number): Family[] {
  return [
    // Each of them adds one. Beginning with none, it is also there when none can say so.
    gauge('hashpost_workers', 'Processes that answer requests.', 0),
    gauge('hashpost_workers_configured', 'Processes that should answer requests.', configured),
    counter('hashpost_worker_deaths_total', 'Workers that have ended.', deaths),
  ];
}
