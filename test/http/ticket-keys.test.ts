import { once } from 'node:events';
import { connect, type SecureVersion } from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { answeringPids, preload, spawnService, type ServiceProcess } from '../support/process.ts';
import { createTestCertificate, settingsFor } from '../support/service.ts';

afterEach(disposeLeftovers);

/** Lets SIGUSR2 be the next tick of an interval of an hour or more. */
const TICK_BY_SIGNAL = `
  const { setInterval } = globalThis;
  globalThis.setInterval = (run, ms, ...rest) => {
    if (ms >= 3_600_000) process.on('SIGUSR2', run);
    return setInterval(run, ms, ...rest);
  };`;

interface Visit {
  readonly isReused: boolean;
  /** What the server gave to come back with, if it did. */
  readonly session: Buffer | undefined;
}

class Site {
  readonly #workers: number;
  readonly #service: ServiceProcess;
  readonly #options: { host: string; port: number; ca: string };

  private constructor(workers: number, service: ServiceProcess, options: { host: string; port: number; ca: string }) {
    this.#workers = workers;
    this.#service = service;
    this.#options = options;
  }

  static async start(workers: number): Promise<Site> {
    const certificate = await createTestCertificate();
    const env = settingsFor(certificate, { WORKERS: String(workers), ...preload(TICK_BY_SIGNAL) });
    const service = spawnService({ env, cwd: temporaryFolder() });
    const { hostname, port } = new URL(await service.url);
    return new Site(workers, service, { host: hostname, port: Number(port), ca: certificate.ca });
  }

  /** One connection with one request. */
  async visit(version: SecureVersion, session?: Buffer): Promise<Visit> {
    const versions = { minVersion: version, maxVersion: version };
    const socket = connect({ ...this.#options, ...versions, ...(session && { session }) });
    let given: Buffer | undefined;
    socket.on('session', (ticket: Buffer) => (given = ticket));
    socket.write('GET /messages HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    await once(socket.resume(), 'end');
    const isReused = socket.isSessionReused();
    socket.destroy();
    return { isReused, session: given };
  }

  async newSession(version: SecureVersion): Promise<Buffer> {
    const { isReused, session } = await this.visit(version);
    expect(isReused).toBe(false);
    return session as Buffer;
  }

  /** Comes with a session, eight at a time, until every worker has answered; the outcomes that there were. */
  async comeBack(version: SecureVersion, session: Buffer): Promise<boolean[]> {
    const { length } = this.#service.stdout();
    const outcomes = new Set<boolean>();
    for (let round = 0; answeringPids(this.#service.stdout().slice(length)).size < this.#workers; round++) {
      if (round === 200) throw new Error('some worker never answers');
      const visits = await Promise.all(Array.from({ length: 8 }, () => this.visit(version, session)));
      for (const { isReused } of visits) outcomes.add(isReused);
    }
    return [...outcomes];
  }

  /** Kills the worker that answered first; resolves when its successor has answered. */
  async replaceWorker(version: SecureVersion): Promise<void> {
    const pids = answeringPids(this.#service.stdout());
    const [victim] = pids;
    process.kill(victim as number, 'SIGKILL');
    while (!this.#service.stdout().includes('a worker died')) await sleep(10);
    for (let round = 0; answeringPids(this.#service.stdout()).size === pids.size; round++) {
      if (round === 1000) throw new Error('the worker is not replaced');
      await Promise.all(Array.from({ length: 8 }, () => this.visit(version)));
    }
  }

  /** Half a day. */
  async letTimePass(): Promise<void> {
    this.#service.child.kill('SIGUSR2');
    await sleep(300);
  }
}

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  '%s: a session is resumed by every worker, by one that was replaced too, until the keys change',
  async (version) => {
    const site = await Site.start(2);
    const old = await site.newSession(version);
    expect(await site.comeBack(version, old)).toEqual([true]);
    await site.letTimePass();
    expect(await site.comeBack(version, old)).toEqual([false]);
    const session = await site.newSession(version);
    expect(await site.comeBack(version, session)).toEqual([true]);
    await site.replaceWorker(version);
    expect(await site.comeBack(version, session)).toEqual([true]);
  },
);

test('a single process changes its keys by itself', async () => {
  const site = await Site.start(1);
  const old = await site.newSession('TLSv1.3');
  expect(await site.comeBack('TLSv1.3', old)).toEqual([true]);
  await site.letTimePass();
  expect(await site.comeBack('TLSv1.3', old)).toEqual([false]);
  expect(await site.comeBack('TLSv1.3', await site.newSession('TLSv1.3'))).toEqual([true]);
});
