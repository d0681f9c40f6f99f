import { linkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { runCommand } from '../support/command.ts';

afterEach(disposeLeftovers);

const wrong: [args: string[], line: string][] = [
  [['nope'], 'unknown command nope; see --help'],
  [['--port', '1'], 'unknown argument --port; settings are environment variables, see --help'],
  [['verify'], 'usage: hashpost verify <url>'],
  [['verify', 'file:a', 'file:b'], 'usage: hashpost verify <url>'],
  [['migrate-store', 'file:a'], 'usage: hashpost migrate-store <from> <to>'],
  [['verify', 'file:a', '--fast'], "Unknown option '--fast'; see hashpost verify --help"],
  [['verify', 'memory:'], '<url> is memory:, which is gone when its process ends'],
  [['migrate-store', 'file:a', 'memory:'], '<to> is memory:, which is gone when its process ends'],
  [['migrate-store', 'file:a', 'file:a'], '<from> and <to> are the same'],
  [['backup', ''], '<file> is empty'],
  [['backup', 'file:a'], '<file> is a path, not a URL'],
];

test.each(wrong)('%j is wrong usage: one line, 64', async (args, line) => {
  expect(await runCommand(args)).toEqual({ code: 64, stdout: '', stderr: `hashpost: ${line}\n` });
});

test('one file is the same under any name', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'a'), '');
  symlinkSync('a', join(cwd, 'symbolic'));
  linkSync(join(cwd, 'a'), join(cwd, 'hard'));
  for (const name of ['./a', join(cwd, 'a'), 'symbolic', 'hard']) {
    const { code, stderr } = await runCommand(['migrate-store', 'file:a', `file:${name}`], { cwd });
    expect([name, code, stderr]).toEqual([name, 64, 'hashpost: <from> and <to> are the same\n']);
  }
});

test('a result that cannot be written is no success', async () => {
  const under = ['sh', '-c', 'exec "$0" "$@" >/dev/full'];
  const { code, stderr } = await runCommand(['verify', '--help'], { under });
  expect(code).toBe(69);
  expect(stderr).toMatch(/^hashpost: stdout .* ENOSPC.*\n$/);
});

test('a malformed URL is not repeated, because it may hold a password', async () => {
  const { code, stderr } = await runCommand(['verify', 'mysql://root:secret@localhost']);
  expect(code).toBe(64);
  expect(stderr).toMatch(/^hashpost: <url> must be file:PATH, .*\n$/);
  expect(stderr).not.toContain('secret');
});

test('--help lists the commands, and each explains itself and the exit codes', async () => {
  const { stdout } = await runCommand(['--help']);
  expect((await runCommand(['-h'])).stdout).toBe(stdout);
  const usages = stdout.match(/^ {2}hashpost .*$/gm) ?? [];
  expect(usages.map((usage) => usage.trim())).toEqual([
    'hashpost backup <file>',
    'hashpost verify <url>',
    'hashpost migrate-store <from> <to>',
  ]);
  for (const usage of usages) {
    const [, name = ''] = usage.trim().split(' ');
    const help = await runCommand([name, '--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toMatch(
      new RegExp(`^Usage:${usage.slice(1)}\n[^]*Exit codes: 0 done; 64 wrong usage; 65 damaged;`),
    );
  }
});

test('wrong settings are 78 for a command that needs them', async () => {
  const { code, stderr } = await runCommand(['backup', 'x.db'], { env: { DATABASE_URL: 'x' }, cwd: temporaryFolder() });
  expect(code).toBe(78);
  expect(stderr).toContain('DATABASE_URL must be');
});
