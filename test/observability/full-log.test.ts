import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '../support/client.ts';
import { expectWithin } from '../support/expect-within.ts';
import { freePort } from '../support/free-port.ts';
import { disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { spawnService } from '../support/process.ts';
import { createTestCertificate, settingsFor } from '../support/service.ts';

afterEach(disposeLeftovers);

test.each(['>logs/log', '>logs/log 2>&1'])(
  'a log (%s) whose disk is full holds up neither requests nor the exit, and goes on when there is room',
  async (redirection) => {
    const certificate = await createTestCertificate();
    const port = await freePort();
    const cwd = temporaryFolder();
    const start = 'mkdir logs && mount -t tmpfs -o size=1m none logs && exec "$0" "$@" ';
    const service = spawnService({
      env: settingsFor(certificate, { PORT: String(port) }),
      cwd,
      under: ['unshare', '-rm', 'sh', '-c', start + redirection],
    });
    const client = new Client(`https://127.0.0.1:${port}`, certificate.ca);
    const post = async (): Promise<number> => (await client.post('/messages', '{"message":"x"}')).status;
    const isUp = (): Promise<boolean> => post().then(Boolean, () => false);
    await expectWithin(20_000, isUp);
    // The disk is only there for the service and its own.
    const logs = join('/proc', String(service.child.pid), 'root', cwd, 'logs');
    const lines = (): number => readFileSync(join(logs, 'log'), 'utf8').split('\n').length;

    // Where stderr is on the disk, too, there is nobody to tell.
    const isTold = (): boolean => redirection.includes('2>&1') || service.stderr().includes('cannot be written');
    expect(() => {
      writeFileSync(join(logs, 'ballast'), Buffer.alloc(2_000_000));
    }).toThrow('ENOSPC');
    await expectWithin(20_000, async () => (await post()) === 201 && isTold());
    for (let index = 0; index < 50; index++) expect(await post()).toBe(201);
    const before = lines();
    rmSync(join(logs, 'ballast'));
    await expectWithin(20_000, async () => (await post()) === 201 && lines() > before + 50);

    expect(() => {
      writeFileSync(join(logs, 'ballast'), Buffer.alloc(2_000_000));
    }).toThrow('ENOSPC');
    for (let index = 0; index < 50; index++) expect(await post()).toBe(201);
    client.close();
    service.child.kill('SIGTERM');
    expect(await service.exited).toBe(0);
    if (redirection.includes('2>&1')) return;
    expect(service.stderr()).toMatch(
      /^hashpost: the log cannot be written: .*ENOSPC.*\nhashpost: the log is written again, 0 lines are lost\n/,
    );
  },
);
