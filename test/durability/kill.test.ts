import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../support/client.ts';
import { disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { spawnService, type ServiceProcess } from '../support/process.ts';
import { createTestCertificate, settingsFor } from '../support/service.ts';
import { untilGone } from '../support/until-gone.ts';

/** KILL_CYCLES=2000 for a campaign. */
const CYCLES = Number(process.env['KILL_CYCLES'] ?? 30);
const WRITERS = 16;
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

afterAll(disposeLeftovers);

const shaOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** mulberry32: small, and the same for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Writes new texts through both doors until the service is gone; tells each one that was acknowledged. */
async function writeUntilGone(client: Client, prefix: string, acknowledge: (text: string) => void): Promise<void> {
  await untilGone(async (index) => {
    const text = `${prefix}/${index} ${'x'.repeat(index % 500)}`;
    const { status } =
      index % 2
        ? await client.post('/messages', JSON.stringify({ message: text }))
        : await client.graphql('mutation ($text: String!) { addMessage(text: $text) { sha } }', { text });
    if (status >= 300) throw new Error(`status ${status}`);
    acknowledge(text);
  });
}

test(
  `kill -9 under load, ${CYCLES} times: what was acknowledged is there, once, in order (SEED=${SEED})`,
  async () => {
    const random = createRandom(SEED);
    const certificate = await createTestCertificate();
    const { ca } = certificate;
    const cwd = temporaryFolder();
    const env = settingsFor(certificate);
    const acknowledged = new Set<string>();
    let listed: string[] = [];

    async function check(service: ServiceProcess): Promise<void> {
      const client = new Client(await service.url, ca);
      const { digestList } = (await client.get('/messages')).json as { digestList: string[] };
      expect(new Set(digestList).size).toBe(digestList.length);
      expect(digestList.slice(0, listed.length)).toEqual(listed);
      const known = new Set(digestList);
      expect([...acknowledged].filter((text) => !known.has(shaOf(text)))).toEqual([]);
      listed = digestList;
      client.close();
    }

    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const service = spawnService({ env, cwd });
      await check(service);
      const url = await service.url;
      const writers = Array.from({ length: WRITERS }, (_, writer) =>
        writeUntilGone(new Client(url, ca), `${cycle}/${writer}`, (text) => acknowledged.add(text)),
      );
      await sleep(20 + random() * 300);
      service.child.kill('SIGKILL');
      await Promise.all(writers);
      await service.exited;
    }

    const last = spawnService({ env, cwd });
    await check(last);
    const client = new Client(await last.url, ca);
    for (const text of [...acknowledged].slice(-200)) {
      expect((await client.get(`/message/${shaOf(text)}`)).json).toEqual({ message: text });
    }
    client.close();
    last.child.kill('SIGTERM');
    await last.exited;
    const db = new DatabaseSync(join(cwd, 'x.db'), { readOnly: true });
    expect(db.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
    db.close();
    expect(acknowledged.size).toBeGreaterThan(CYCLES * 10);
    console.info(`${CYCLES} kills, ${acknowledged.size} acknowledged messages, ${listed.length} stored, 0 lost`);
  },
  60_000 + CYCLES * 10_000,
);
