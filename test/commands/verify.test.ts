import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { runCommand as runHere } from '../../src/commands/run-command.ts';
import { createMessage, type StoredMessage } from '../../src/messages/message.ts';
import { runCommand, type CommandResult } from '../support/command.ts';
import { disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { damage, digestOf, someMessages, store } from '../support/stored.ts';

afterEach(disposeLeftovers);

/** In this process, because there are many. */
async function verifyHere(path: string): Promise<Omit<CommandResult, 'stderr'>> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const context = { env: {}, stdout, stderr, listenForStop: () => new AbortController().signal };
  const code = await runHere(['verify', `file:${path}`], context).then(
    () => 0,
    (error: unknown) => (error as { exitCode: number }).exitCode,
  );
  return { code, stdout: String(stdout.read() ?? '') };
}

async function storeIn(folder: string, messages: readonly StoredMessage[]): Promise<string> {
  const path = join(folder, 'x.db');
  await store(`file:${path}`, messages);
  return path;
}

const bytesOf = (messages: readonly StoredMessage[]): number =>
  messages.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);

test('a sound store: its sums, 0, and the file and its folder are as before', async () => {
  const folder = temporaryFolder();
  const messages = someMessages(1200);
  const path = await storeIn(folder, messages);
  const [before, { mtimeMs }] = [readFileSync(path), statSync(path)];
  expect(await runCommand(['verify', `file:${path}`])).toEqual({
    code: 0,
    stdout: `messages: 1200\nbytes: ${bytesOf(messages)}\ndamaged: 0\ndigest: ${digestOf(messages)}\n`,
    stderr: '',
  });
  expect(readFileSync(path).equals(before)).toBe(true);
  expect(statSync(path).mtimeMs).toBe(mtimeMs);
  expect(readdirSync(folder)).toEqual(['x.db']);
});

test('a message that does not have the text of its sha: place and sha, 1, no text', async () => {
  const messages = someMessages(900);
  const path = await storeIn(temporaryFolder(), messages);
  for (const place of [1, 600]) damage(path, place);
  const { code, stdout, stderr } = await runCommand(['verify', `file:${path}`]);
  expect([code, stderr]).toEqual([65, 'hashpost: what is stored is damaged\n']);
  const sound = messages.filter((_, index) => index !== 0 && index !== 599);
  expect(stdout + stderr).not.toContain('marker');
  expect(stdout).toBe(
    [
      `damaged: message 1, ${String(messages[0]?.sha)}, does not have the text of its sha`,
      `damaged: message 600, ${String(messages[599]?.sha)}, does not have the text of its sha`,
      'messages: 900',
      `bytes: ${bytesOf(sound)}`,
      'damaged: 2',
      `digest: ${digestOf(messages)}`,
      '',
    ].join('\n'),
  );
});

test('each byte of a text and of a sha that is not what it was is found', async () => {
  const folder = temporaryFolder();
  const messages = ['one', 'a text of twenty bytes', 'three'].map((text) => createMessage(text, 1000, 1));
  const path = await storeIn(folder, messages);
  const file = readFileSync(path);
  const { sha, text } = messages[1] as StoredMessage;
  const key = Buffer.from(sha, 'hex');
  // The sha is in the table and in its index.
  const parts = [
    [file.indexOf(text), text.length],
    [file.indexOf(key), key.length],
    [file.lastIndexOf(key), key.length],
  ] as const;
  expect(new Set(parts.map(([start]) => start)).size).toBe(3);
  for (const [start, length] of parts) {
    for (let offset = start; offset < start + length; offset++) {
      const damaged = Buffer.from(file);
      damaged[offset] = (file[offset] as number) ^ (1 << (offset % 8));
      writeFileSync(path, damaged);
      expect([offset, (await verifyHere(path)).code]).toEqual([offset, 65]);
    }
  }
  writeFileSync(path, file);
  expect((await verifyHere(path)).code).toBe(0);
});

test('a page that cannot be read is told, and hides nothing but itself', async () => {
  const messages = someMessages(3000);
  const path = await storeIn(temporaryFolder(), messages);
  const file = readFileSync(path);
  const text = messages[1500]?.text ?? '';
  const start = Math.floor(file.indexOf(text) / 4096) * 4096;
  writeFileSync(path, file.fill(0xaa, start, start + 4096));
  const { code, stdout } = await runCommand(['verify', `file:${path}`]);
  expect(code).toBe(65);
  expect(stdout).toMatch(/^fault of the file: /);
  const [, forward, backward, hashed] =
    /list after message (\d+) .*\n.*before message (\d+) from the end .*\nmessages: (\d+)\n/.exec(stdout) ?? [];
  expect(Number(forward) + Number(backward)).toBe(Number(hashed));
  expect(Number(hashed)).toBeGreaterThanOrEqual(3000 - 2 * 250);
  expect(Number(hashed)).toBeLessThan(3000);
  expect(stdout).not.toContain('digest');
});

test.each([
  ['page 1 is overwritten', (file: Buffer) => file.fill(0xaa, 0, 4096)],
  ['its end is missing', (file: Buffer) => file.subarray(0, file.length - 40_960)],
])('a file of which %s: told, and left as it is', async (_, damage) => {
  const path = await storeIn(temporaryFolder(), someMessages(500));
  const damaged = damage(readFileSync(path));
  writeFileSync(path, damaged);
  const { code, stdout } = await runCommand(['verify', `file:${path}`]);
  expect(code).toBe(65);
  expect(stdout).toMatch(/^fault of the file: [^]*\ndamaged: /);
  expect(readFileSync(path).equals(damaged)).toBe(true);
});

test('what cannot be looked at is 69, which is not "damaged", and nothing is made', async () => {
  const cwd = temporaryFolder();
  const missing = await runCommand(['verify', 'file:x.db'], { cwd });
  expect(missing).toEqual({
    code: 69,
    stdout: '',
    stderr: 'hashpost: the database x.db cannot be used: there is no such file\n',
  });
  expect(readdirSync(cwd)).toEqual([]);
  writeFileSync(join(cwd, 'empty.db'), '');
  expect((await runCommand(['verify', 'file:empty.db'], { cwd })).code).toBe(69);
});
