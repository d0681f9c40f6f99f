import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../support/client.ts';
import { disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { spawnService } from '../support/process.ts';
import { createTestCertificate, settingsFor } from '../support/service.ts';

/** LIST_MESSAGES=1000000 for what is promised. */
const MESSAGES = Number(process.env['LIST_MESSAGES'] ?? 200_000);
const MIB = 1024 * 1024;

afterAll(disposeLeftovers);

/** Resident memory of a process in bytes. */
function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

/** Fills the database file directly; the list does not read the texts. */
function fill(file: string): void {
  const db = new DatabaseSync(file);
  db.exec(`
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${MESSAGES})
    INSERT INTO message (sha, created_at, content) SELECT randomblob(32), 0, CAST('text ' || i AS BLOB) FROM n`);
  db.close();
}

test(`a list of ${MESSAGES} messages is streamed in bounded memory while others are served`, async () => {
  const certificate = await createTestCertificate();
  const { ca } = certificate;
  const cwd = temporaryFolder();
  const env = settingsFor(certificate);
  const service = spawnService({ env, cwd });
  const url = await service.url;
  fill(join(cwd, 'x.db'));
  const client = new Client(url, ca);
  const pid = service.child.pid as number;
  await client.get('/messages?limit=1000');
  const before = residentBytes(pid);
  let peak = before;

  // Three clients read as fast as they can, one reads nothing for a while: none may pile the list up in memory.
  const readers = Array.from({ length: 3 }, () => client.get('/messages'));
  const asked = performance.now();
  let firstByteMs = NaN;
  const stalled = request(`${url}/messages`, { ca }, (incoming) => {
    firstByteMs = performance.now() - asked;
    incoming.pause();
  }).end();
  const latencies: number[] = [];
  const reading = new AbortController();
  const others = (async () => {
    while (!reading.signal.aborted) {
      const start = performance.now();
      expect((await client.get('/health/ready')).status).toBe(200);
      latencies.push(performance.now() - start);
      peak = Math.max(peak, residentBytes(pid));
      await sleep(5);
    }
  })();
  const answers = await Promise.all(readers);
  await sleep(200);
  reading.abort();
  await others;
  stalled.destroy();
  for (const { text } of answers) {
    const { digestList } = JSON.parse(text) as { digestList: string[] };
    expect(new Set(digestList).size).toBe(MESSAGES);
  }
  latencies.sort((a, b) => a - b);
  const p99 = latencies[Math.floor(latencies.length * 0.99)] ?? NaN;
  console.info(
    `first byte after ${firstByteMs.toFixed(1)} ms; grew by ${((peak - before) / MIB).toFixed(1)} MiB; ` +
      `${latencies.length} others, p99 ${p99.toFixed(1)} ms`,
  );
  expect(peak - before).toBeLessThan(96 * MIB);
  client.close();
}, 120_000);
