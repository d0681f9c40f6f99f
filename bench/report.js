import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { ONE_COMMIT_PER_REQUEST } from './measure.js';
import { works } from './works.js';

/** Other programs' work makes a request dearer, not only slower: it takes caches and clock speed away. */
const MAX_BUSY_CORES = 0.2;
const BUSY = '**Other programs kept the machine busy: these figures show that the benchmark works, and nothing else.**';

const PEERS = ['apollo', 'yoga', 'mercurius', 'mercurius-jit'];

/**
 * What Hashpost must reach, each read from the results by `read(key, work, contender)`.
 *
 * @typedef {(key: keyof import('./measure.js').Figures, work: string, contender: string) => number} Read
 * @type {readonly { what: string, limit: number, isLeast?: true, unit: string, seen: (read: Read) => number }[]}
 */
const targets = [
  cpuTarget('GET by sha, of the raw GET handler', 1.5, { work: 'get', of: 'raw' }),
  cpuTarget('GraphQL one message, of Mercurius with JIT', 0.7, { work: 'message', of: 'mercurius-jit' }),
  cpuTarget('GraphQL one message, of the raw POST handler', 1.45, { work: 'message', of: 'raw' }),
  cpuTarget('GraphQL page of 100, of Mercurius with JIT', 0.6, { work: 'page', of: 'mercurius-jit' }),
  cpuTarget('POST of a new text, of the raw POST handler', 2.4, { work: 'post', of: 'raw' }),
  metricsTarget('GET by sha', 'get'),
  metricsTarget('POST of a new text', 'post'),
  metricsTarget('GraphQL one message', 'message'),
  {
    what: 'Throughput: POST of a new text, of the same service on `memory:`',
    limit: 0.85,
    isLeast: true,
    unit: '×',
    seen: (read) =>
      read('requestsPerSecond', 'post', 'hashpost') / read('requestsPerSecond', 'post', 'hashpost-memory'),
  },
  {
    what: 'Resident memory after the mixed load',
    limit: 150,
    unit: 'MiB',
    seen: (read) => read('rss', 'mixed', 'hashpost'),
  },
];

function cpuTarget(what, limit, { work, contender = 'hashpost', of }) {
  const seen = (read) => read('cpuPerRequest', work, contender) / read('cpuPerRequest', work, of);
  return { what: `CPU: ${what}`, limit, unit: '×', seen };
}

function metricsTarget(what, work) {
  const title = `${what} with metrics on, of the same without`;
  return cpuTarget(title, 1.03, { work, contender: 'hashpost-metrics', of: 'hashpost' });
}

/** @param {[string, import('./aging.js').Aging]} entry */
function agingTargets([work, { before, after, promoted }]) {
  const { title } = works[work];
  const limit = work === 'post' ? 400 : 200;
  return [
    { what: `Promoted to the old generation: ${title}`, limit, unit: 'bytes/request', seen: () => promoted },
    { what: `CPU after idle time: ${title}, of the same before`, limit: 1.05, unit: '×', seen: () => after / before },
  ];
}

function slowSyncTarget({ milliseconds, shared, single }) {
  const baseline = `one commit per request (${ONE_COMMIT_PER_REQUEST}: ${single.toFixed(0)}/s)`;
  const what = `Throughput: POST of a new text, every fsync slowed by ${milliseconds} ms, of ${baseline}`;
  return { what, limit: 20, isLeast: true, unit: '×', seen: () => shared / single };
}

/**
 * The report, in Markdown.
 *
 * @typedef {object} Measured
 * @property {Map<string, Map<string, import('./measure.js').Figures>>} results by work, then by contender
 * @property {Map<string, import('./aging.js').Aging>} aging by work
 * @property {Awaited<ReturnType<typeof import('./measure.js').measureSlowSync>> | undefined} slowSync
 *
 * @param {Measured} measured
 * @param {{ rows: number, rounds: number, seconds: number, cores: [number, number] | undefined,
 *   busyBefore: number }} setting
 */
export function renderReport({ results, aging, slowSync }, setting) {
  return [
    '# Benchmark\n\nMade by `npm run bench`. Do not edit.',
    ...(setting.busyBefore > MAX_BUSY_CORES ? [BUSY] : []),
    ...renderTargets({ results, aging, slowSync }),
    ...[...results].map(([work, figures]) => `## ${works[work].title}\n\n${renderFigures(figures)}`),
    ...(aging.size > 0 ? [`## After idle time\n\n${renderAging(aging)}`] : []),
    renderMethod(setting),
    renderMachine(setting),
  ].join('\n\n');
}

function renderTargets({ results, aging, slowSync }) {
  const read = (key, work, name) => results.get(work)?.get(name)?.[key] ?? NaN;
  const lines = [...targets, ...[...aging].flatMap(agingTargets), ...(slowSync ? [slowSyncTarget(slowSync)] : [])]
    .map((target) => ({ ...target, seen: target.seen(read) }))
    .filter(({ seen }) => !Number.isNaN(seen))
    .map(({ what, limit, isLeast, unit, seen }) => {
      const isMet = isLeast ? seen >= limit : seen <= limit;
      const bound = `${isLeast ? 'at least' : 'at most'} ${limit} ${unit}`;
      return [what, bound, `${seen.toFixed(2)} ${unit}`, isMet ? 'yes' : '**no**'];
    });
  if (lines.length === 0) return [];
  return [table(['what Hashpost must reach', 'bound', 'seen', 'reached'], lines)];
}

function renderFigures(figures) {
  const raw = figures.get('raw')?.cpuPerRequest;
  const bestPeer = Math.min(...PEERS.map((name) => figures.get(name)?.cpuPerRequest ?? Infinity));
  const lines = [...figures].map(([name, { cpuPerRequest, busy, requestsPerSecond, p50, p99, rss }]) => [
    name,
    cpuPerRequest.toFixed(1),
    raw === undefined ? '' : (cpuPerRequest / raw).toFixed(2),
    bestPeer === Infinity ? '' : (cpuPerRequest / bestPeer).toFixed(2),
    requestsPerSecond.toFixed(0),
    p50.toFixed(2),
    p99.toFixed(2),
    (busy * 100).toFixed(0),
    rss.toFixed(0),
  ]);
  const heads = [
    'contender',
    'CPU µs/request',
    '× raw',
    '× best peer',
    'requests/s',
    'p50 ms',
    'p99 ms',
    'core %',
    'RSS MiB',
  ];
  return table(heads, lines);
}

function renderAging(aging) {
  const lines = [...aging].map(([work, { before, after, promoted, gcShare }]) => [
    works[work].title,
    before.toFixed(1),
    after.toFixed(1),
    promoted.toFixed(0),
    (gcShare * 100).toFixed(1),
  ]);
  return table(['work', 'CPU µs/request before', 'after', 'promoted bytes/request', 'GC %'], lines);
}

function renderMethod({ rows, rounds, seconds, cores }) {
  const where = cores
    ? `Servers are pinned to core ${cores[0]}, the load to core ${cores[1]}`
    : 'Neither servers nor load are pinned to a core';
  return `## How it was measured

Every contender runs in a process of its own: HTTPS with keep-alive and the same ECDSA P-256 certificate, on loopback,
over the same SQLite file of ${rows} messages of about 100 bytes, in WAL mode with \`synchronous=FULL\`. Hashpost has
its default settings: one worker, its access log (to a file), all limits; \`hashpost-metrics\` is the same with
\`METRICS_PORT\` set, \`hashpost-memory\` on \`memory:\`. Hashpost runs with the options of Node.js that its start
script has, the others with none.
The raw handler has no framework and no database: it gets the same requests, parses their JSON, and answers a constant.
The peers run with their libraries' defaults over Hashpost's own schema and the same prepared statements, with one
durable commit per mutation.

The load is autocannon in a process of its own, by ${works.message.connections} connections where the title does not say otherwise, with another
message in each request. ${where}.
Every contender's answers are checked; then each is warmed up for 2 s, and they take turns: rounds ${rounds}, seconds of
each ${seconds}. The tables give the medians of the rounds. CPU is the user and system time of the whole server process,
all threads, over the very window of the requests that it is divided by. Latency is that of clients that send their next
request at once, so it grows with the number of connections. \`core %\` is the share of a core that the server used:
below 100, the load program, the disk, or another program on the machine set the pace.`;
}

function renderMachine({ busyBefore }) {
  const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));
  const processors = cpus();
  const versions = Object.entries(dependencies).map(([name, version]) => `${name} ${version}`);
  return `## Where and with what

- ${new Date().toISOString().slice(0, 10)}
- ${processors[0].model}, ${processors.length} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB of memory, Linux ${release()}
- other programs kept ${busyBefore.toFixed(2)} cores busy just before the run
- Node.js ${process.version}, SQLite ${process.versions.sqlite}, OpenSSL ${process.versions.openssl}
- ${versions.join(', ')}
`;
}

function table(heads, lines) {
  return [heads, heads.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
