import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredMessage } from '../../src/messages/message.ts';
import { parseDatabaseUrl } from '../../src/setting-values.ts';
import { openSource } from '../../src/stores/open-store.ts';
import { resultOf, runCommand, spawnCommand } from '../support/command.ts';
import { disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { freshDatabaseUrl } from '../support/service.ts';
import { damage, digestOf, readStored, someMessages, store } from '../support/stored.ts';

/** MIGRATE_MESSAGES=1000000 MIGRATE_KILLS=10 for a campaign. */
const MESSAGES = Number(process.env['MIGRATE_MESSAGES'] ?? 5000);
const KILLS = Number(process.env['MIGRATE_KILLS'] ?? 3);

afterEach(disposeLeftovers);

interface Stores {
  readonly from: string;
  readonly to: string;
  readonly messages: readonly StoredMessage[];
}

async function prepare(count: number, kinds: readonly [string, string] = ['file', 'file']): Promise<Stores> {
  const [from, to] = [await freshDatabaseUrl(kinds[0]), await freshDatabaseUrl(kinds[1])];
  const messages = someMessages(count);
  for (let begin = 0; begin < count; begin += 5000) await store(from, messages.slice(begin, begin + 5000));
  return { from, to, messages };
}

const pathOf = (url: string): string => url.slice('file:'.length);

function resultText(copied: number, messages: readonly StoredMessage[]): string {
  const state = `${messages.length} messages, digest ${digestOf(messages)}`;
  return `copied: ${copied}\nsource: ${state}\ntarget: ${state}\n`;
}

/** How many messages a store has; none while it is being made. */
async function countOf(url: string): Promise<number> {
  try {
    const source = await openSource(parseDatabaseUrl(url));
    const { messages } = await source.stats();
    await source.close();
    return messages;
  } catch {
    return 0;
  }
}

const KINDS: [string, string][] = [
  ['file', 'file'],
  ['file', 'postgres'],
  ['postgres', 'file'],
];

test.each(KINDS)('%s to %s: texts, order and times are the same; a second run has nothing to do', async (...kinds) => {
  const { from, to, messages } = await prepare(1200, kinds);
  expect(await runCommand(['migrate-store', from, to])).toEqual({
    code: 0,
    stdout: resultText(1200, messages),
    stderr: '',
  });
  expect(await readStored(to)).toEqual(messages);
  expect((await runCommand(['migrate-store', from, to])).stdout).toBe(resultText(0, messages));
});

test('what came to the source later is copied by a later run', async () => {
  const { from, to, messages } = await prepare(700);
  await store(to, messages.slice(0, 300));
  expect((await runCommand(['migrate-store', from, to])).stdout).toBe(resultText(400, messages));
});

test.each(['file', 'postgres'])(
  `killed ${KILLS} times at random while it copies ${MESSAGES} messages to %s, it goes on and completes`,
  async (kind) => {
    const { from, to, messages } = await prepare(MESSAGES, ['file', kind]);
    const points = Array.from({ length: KILLS }, () => Math.random() * 0.6 * MESSAGES).sort((a, b) => a - b);
    const counts: number[] = [];
    for (const point of points) {
      const { child, exited } = spawnCommand(['migrate-store', from, to]);
      while (child.exitCode === null && (await countOf(to)) < point) await sleep(1);
      child.kill('SIGKILL');
      expect(await exited).toBe('SIGKILL');
      counts.push(await countOf(to));
    }
    expect(Math.min(...counts)).toBeLessThan(MESSAGES);
    const there = counts.at(-1) ?? 0;
    console.info(`killed at ${counts.join(', ')} of ${MESSAGES}`);
    const { code, stdout } = await runCommand(['migrate-store', from, to]);
    expect([code, stdout]).toEqual([0, resultText(MESSAGES - there, messages)]);
    expect(await readStored(to)).toEqual(messages);
    expect((await runCommand(['verify', to])).stdout).toContain(`digest: ${digestOf(messages)}\n`);
  },
  60_000 + MESSAGES,
);

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s ends it after a batch, and the same command goes on', async (signal, exitCode) => {
  const { from, to, messages } = await prepare(8000);
  const running = spawnCommand(['migrate-store', from, to]);
  while (running.child.exitCode === null && (await countOf(to)) === 0) await sleep(1);
  running.child.kill(signal);
  expect(await resultOf(running)).toEqual({
    code: exitCode,
    stdout: '',
    stderr: `hashpost: stopped by ${signal}; run the same command again to go on\n`,
  });
  // Closed in order: the log has been moved into the file.
  expect(existsSync(`${pathOf(to)}-wal`)).toBe(false);
  expect((await runCommand(['migrate-store', from, to])).code).toBe(0);
  expect(await readStored(to)).toEqual(messages);
});

const others: [string, (messages: readonly StoredMessage[]) => readonly StoredMessage[], number][] = [
  ['another message', () => someMessages(31).slice(30), 1],
  ['another order', (messages) => messages.slice(0, 20).toReversed(), 1],
  ['a gap', (messages) => messages.slice(0, 20).toSpliced(7, 1), 8],
  ['more', () => someMessages(31), 31],
];

test.each(others)('a target that has %s is refused and left as it is', async (_, others, place) => {
  const { from, to, messages } = await prepare(30);
  const there = others(messages);
  await store(to, there);
  expect(await runCommand(['migrate-store', from, to])).toEqual({
    code: 69,
    stdout: '',
    stderr: `hashpost: <to> must be empty or hold a beginning of <from>, but message ${place} is not the same; nothing was copied\n`,
  });
  expect(await readStored(to)).toEqual(there);
});

test('a source that is missing is an error; neither store is made', async () => {
  const cwd = temporaryFolder();
  const { code, stderr } = await runCommand(['migrate-store', 'file:from.db', 'file:to.db'], { cwd });
  expect([code, stderr]).toEqual([69, 'hashpost: the database from.db cannot be used: there is no such file\n']);
  expect(existsSync(join(cwd, 'from.db')) || existsSync(join(cwd, 'to.db'))).toBe(false);
});

test('a damaged message ends the copy with its place; all before it is copied, and it is not', async () => {
  const { from, to, messages } = await prepare(700);
  damage(pathOf(from), 611);
  expect(await runCommand(['migrate-store', from, to])).toEqual({
    code: 65,
    stdout: '',
    stderr: `hashpost: message 611, ${String(messages[610]?.sha)}, of <from> is damaged; all before it is copied\n`,
  });
  expect(await readStored(to)).toEqual(messages.slice(0, 610));
});

test('a PostgreSQL database without messages is no source, and gets no tables', async () => {
  const [from, to] = [await freshDatabaseUrl('postgres'), await freshDatabaseUrl('file')];
  for (let run = 0; run < 2; run++) {
    const { code, stderr } = await runCommand(['migrate-store', from, to]);
    expect(code).toBe(69);
    expect(stderr).toMatch(/^hashpost: the database postgres:.* cannot be used: its schema is not up to date: .*\n$/);
    expect(stderr).not.toContain(new URL(from).password);
  }
});
