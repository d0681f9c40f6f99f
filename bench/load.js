// Puts one server under load, from a process of its own, and prints what was seen as JSON:
//   node load.js '{"url","pid","work","rows","connections","warmSeconds","seconds"}'
import { createHistogram } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';
import { cpuMicroseconds } from './processes.js';
import { works } from './works.js';

const { url, pid, work, rows, connections, warmSeconds, seconds } = JSON.parse(process.argv[2]);
const { calls } = works[work];
const latency = createHistogram();
let answered = 0;

function setupRequest(request) {
  const { method, path, body } = calls[Math.floor(Math.random() * calls.length)](rows);
  return Object.assign(request, { method, path, body });
}

const tracker = autocannon(
  {
    url,
    connections,
    // Longer than needed: this process ends when it has seen enough.
    duration: warmSeconds + seconds + 60,
    headers: calls[0](rows).method === 'POST' ? { 'Content-Type': 'application/json' } : {},
    requests: [{ setupRequest }],
    // In a JSON string the quotes would be escaped.
    verifyBody: (body) => !body.includes('"errors":'),
  },
  () => fail('autocannon ended by itself'),
);
tracker.on('response', (client, status, bytes, milliseconds) => {
  if (status < 200 || status > 299) fail(`status ${status}`);
  answered += 1;
  latency.record(Math.max(1, Math.round(milliseconds * 1000)));
});
tracker.on('reqError', (error) => fail(String(error)));
tracker.on('reqMismatch', (body) => fail(`an answer with errors: ${body.slice(0, 500)}`));

function fail(why) {
  console.error(`${url}, ${work}: ${why}`);
  process.exit(1);
}

await sleep(warmSeconds * 1000);
// Both ends of the window are read here, so that CPU time and requests belong to the very same one.
const [cpuBefore, answeredBefore, start] = [cpuMicroseconds(pid), answered, performance.now()];
latency.reset();
await sleep(seconds * 1000);
const requests = answered - answeredBefore;
const cpu = cpuMicroseconds(pid) - cpuBefore;
const elapsed = (performance.now() - start) / 1000;
if (requests === 0) fail('no answer');
console.log(
  JSON.stringify({
    cpuPerRequest: cpu / requests,
    busy: cpu / 1e6 / elapsed,
    requestsPerSecond: requests / elapsed,
    p50: latency.percentile(50) / 1000,
    p99: latency.percentile(99) / 1000,
  }),
);
process.exit(0);
