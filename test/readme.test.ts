import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { disposeLeftovers, temporaryFolder } from './support/leftovers.ts';
import { MAIN, ROOT, spawnService } from './support/process.ts';
import { createTestCertificate, settingsFor } from './support/service.ts';

afterAll(disposeLeftovers);

/** The README's console blocks: each command with the output that is printed below it. */
function readExamples(): [command: string, output: string][] {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(/```console\n([^]*?)```/g)].map(([, block = '']) => block);
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((example): [string, string] => {
        const [command = '', ...output] = example.trimEnd().split('\n');
        return [command, output.join('\n')];
      }),
  );
}

test('every command of the README prints what the README says', async () => {
  const certificate = await createTestCertificate();
  // The database of the README, in a folder of our own.
  const cwd = temporaryFolder();
  const env = settingsFor(certificate, { DATABASE_URL: 'file:data/messages.db' });
  const url = await spawnService({ env, cwd }).url;
  const examples = readExamples();
  expect(examples.length).toBeGreaterThanOrEqual(8);
  for (const [command, output] of examples) {
    const here = command
      .replace('curl', 'curl -s')
      .replace('https://localhost:5000', url)
      .replace('ssl/server.crt', certificate.certFile)
      .replace('npx hashpost', `${process.execPath} ${MAIN}`);
    expect([command, execFileSync('bash', ['-c', here], { encoding: 'utf8', cwd }).trimEnd()]).toEqual([
      command,
      output,
    ]);
  }
});
