import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, existsSync, globSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { dispose } from './leftovers.ts';

type Settings = Readonly<Record<string, string>>;

const PASSWORD = 'only-for-tests';
const LIMIT_MS = 20_000;

/** What keeps a cluster small and to itself. What makes it durable is as PostgreSQL has it. */
const SETTINGS: Settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  // Below the folder of the cluster, so that one that was killed leaves nothing in /dev/shm.
  dynamic_shared_memory_type: 'mmap',
  shared_buffers: '16MB',
  max_slot_wal_keep_size: '256MB',
};

/**
 * Ends a cluster and removes it when its standard input ends: because the cluster is not needed any more, or because
 * the process of the tests is gone, in whatever way.
 */
const WATCHDOG = `
cat
"$2/pg_ctl" stop -m immediate -D "$1/data"
memory=$(sed -n '7s/.* //p' "$1/data/postmaster.pid") && ipcrm -m "$memory"
rm -rf "$1"`;

/** A cluster with an empty database, gone with the other leftovers of the test. */
export async function startPostgres(settings: Settings = {}): Promise<Postgres> {
  const postgres = await createPostgres(settings);
  dispose(() => postgres.remove());
  return postgres;
}

/** One cluster for all tests of a file; to be called at the top of the file. */
export function usePostgres(settings: Settings = {}): () => Postgres {
  let postgres: Postgres | undefined;
  beforeAll(async () => {
    postgres = await createPostgres(settings);
  }, 60_000);
  afterAll(() => postgres?.remove());
  return () => postgres as Postgres;
}

interface FollowerOptions {
  /** How long the follower waits, after it has received a commit, until it shows it. */
  readonly applyDelayMs?: number;
  /** Whether the primary acknowledges a commit only when it is on the disk of the follower too. */
  readonly synchronous?: boolean;
}

/** A follower, by streaming, of a cluster, which may itself have been one until it was promoted. */
export async function startFollower(
  primary: Postgres,
  { applyDelayMs = 0, synchronous = false }: FollowerOptions = {},
): Promise<Postgres> {
  const follower = await Postgres.prepare();
  dispose(() => follower.remove());
  const slot = `port_${follower.port}`;
  await follower.run(
    'pg_basebackup',
    ...['-D', follower.data, '-d', primary.urlOf('postgres'), '-R', '-C', '-S', slot, '-c', 'fast', '--no-sync'],
  );
  await follower.start();
  // What the primary has been told is in the copy.
  await follower.configure({ synchronous_standby_names: '', recovery_min_apply_delay: `${applyDelayMs}ms` });
  if (synchronous) await primary.configure({ synchronous_standby_names: '*' });
  const state = synchronous ? 'sync' : 'async';
  await primary.waitFor(`SELECT 1 FROM pg_stat_replication JOIN pg_replication_slots ON pid = active_pid
    WHERE slot_name = '${slot}' AND state = 'streaming' AND sync_state = '${state}'`);
  return follower;
}

/** A cluster with an empty database; to be removed by the caller. */
export async function createPostgres(settings: Settings = {}): Promise<Postgres> {
  const postgres = await Postgres.prepare();
  await postgres.initialize({ ...SETTINGS, ...settings });
  await postgres.start();
  const role = `CREATE ROLE hashpost LOGIN PASSWORD '${PASSWORD}'`;
  await postgres.psqlOn('postgres', role, 'CREATE DATABASE hashpost OWNER hashpost');
  return postgres;
}

/** A PostgreSQL server with its data, both of the test's own. */
export class Postgres {
  readonly port: number;
  readonly #folder: string;
  readonly #watchdog: ChildProcess;
  readonly #removed: Promise<unknown>;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
    const [command, ...args] = asServerUser('sh', '-c', WATCHDOG, 'sh', folder, findBinaries());
    // In a session of its own, so that an interrupt from the terminal does not reach it.
    this.#watchdog = spawn(command, args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    this.#removed = once(this.#watchdog, 'exit');
  }

  /** A folder and a port, for a cluster that has no data yet. */
  static async prepare(): Promise<Postgres> {
    findBinaries();
    const [command, ...args] = asServerUser('mktemp', '--directory', `--tmpdir=${tmpdir()}`);
    return new Postgres(await output(command, args), await freePort());
  }

  /** For the service: the owner of the database, who is no superuser. */
  get url(): string {
    return this.urlOf('hashpost');
  }

  get data(): string {
    return join(this.#folder, 'data');
  }

  urlOf(user: 'hashpost' | 'postgres', database = 'hashpost'): string {
    return `postgres://${user}:${PASSWORD}@127.0.0.1:${this.port}/${database}`;
  }

  /** The URL of one more empty database. */
  async createDatabase(): Promise<string> {
    const name = `hashpost_${randomUUID().replaceAll('-', '')}`;
    await this.psqlOn('postgres', `CREATE DATABASE ${name} OWNER hashpost`);
    return this.urlOf('hashpost', name);
  }

  async initialize(settings: Settings): Promise<void> {
    const passwordFile = join(this.#folder, 'password');
    appendFileSync(passwordFile, PASSWORD);
    await this.run(
      ...['initdb', '-D', this.data, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`],
      ...['--data-checksums', '--no-sync', '--wal-segsize=1', '--no-locale', '-E', 'UTF8'],
    );
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
    appendFileSync(join(this.data, 'postgresql.conf'), lines.join(''));
  }

  /** Resolves when the server answers, after a crash too. */
  async start(): Promise<void> {
    const log = join(this.#folder, 'log');
    await this.run('pg_ctl', 'start', '-w', '-D', this.data, '-l', log, '-o', `-p ${this.port}`);
  }

  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    await this.run('pg_ctl', 'stop', '-w', '-D', this.data, '-m', mode);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** kill -9 of the server's first process; resolves when all others have noticed and are gone. */
  async kill(): Promise<void> {
    const pid = Number(readFileSync(join(this.data, 'postmaster.pid'), 'utf8').split('\n')[0]);
    // It must not start another one between the two.
    process.kill(pid, 'SIGSTOP');
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    process.kill(pid, 'SIGKILL');
    const begun = performance.now();
    while ([pid, ...children].some((one) => existsSync(`/proc/${one}`))) {
      if (performance.now() - begun > LIMIT_MS) throw new Error('processes of a killed PostgreSQL are still there');
      await sleep(5);
    }
  }

  /** Makes a follower a primary; resolves when it takes writes. */
  async promote(): Promise<void> {
    await this.run('pg_ctl', 'promote', '-w', '-D', this.data);
  }

  /** Of a follower, from now on. */
  async setApplyDelay(ms: number): Promise<void> {
    await this.configure({ recovery_min_apply_delay: `${ms}ms` });
  }

  /** Changes settings of the server; those that need a restart do not get one. */
  async configure(settings: Settings): Promise<void> {
    const changes = Object.entries(settings).map(([name, value]) => `ALTER SYSTEM SET ${name} = '${value}'`);
    await this.psqlOn('postgres', ...changes, 'SELECT pg_reload_conf()');
  }

  /** Runs statements as superuser; resolves with the rows as text: lines, with columns separated by `|`. */
  psql(...statements: readonly string[]): Promise<string> {
    return this.psqlOn('hashpost', ...statements);
  }

  psqlOn(database: string, ...statements: readonly string[]): Promise<string> {
    const args = ['-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', this.urlOf('postgres', database)];
    return output(join(findBinaries(), 'psql'), [...args, ...statements.flatMap((sql) => ['-c', sql])]);
  }

  /** @throws Error when the query does not return a row within the limit. */
  async waitFor(query: string): Promise<void> {
    const begun = performance.now();
    while ((await this.psql(query)) === '') {
      if (performance.now() - begun > LIMIT_MS) throw new Error(`no row within ${LIMIT_MS} ms: ${query}`);
      await sleep(20);
    }
  }

  /** Ends the server and removes its data, unless that has been done. */
  async remove(): Promise<void> {
    this.#watchdog.stdin?.end();
    await this.#removed;
  }

  /** Runs a program of PostgreSQL as the user of the server. */
  async run(program: string, ...programArgs: readonly string[]): Promise<string> {
    const [command, ...args] = asServerUser(join(findBinaries(), program), ...programArgs);
    return output(command, args);
  }
}

/** PostgreSQL refuses to run as root. */
function asServerUser(...command: [string, ...string[]]): [string, ...string[]] {
  if (process.getuid?.() !== 0) return command;
  return ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups', ...command];
}

/** Debian keeps the programs of each version in a folder of their own. */
function findBinaries(): string {
  const versions = globSync('/usr/lib/postgresql/*/bin').sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  const folders = [...versions, ...(process.env['PATH'] ?? '').split(delimiter)];
  const found = folders.find((folder) => existsSync(join(folder, 'initdb')));
  if (found === undefined) throw new Error('PostgreSQL is missing: apt-get install postgresql-15');
  return found;
}

async function output(command: string, args: readonly string[]): Promise<string> {
  const env = { PATH: process.env['PATH'], LC_ALL: 'C' };
  const { stdout } = await promisify(execFile)(command, args, { cwd: '/', env, timeout: 60_000 });
  return stdout.trim();
}
