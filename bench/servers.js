import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { start, stop } from './processes.js';

const HASHPOST = fileURLToPath(new URL('../dist/main.js', import.meta.url));
/** The options of Node.js in the start script: `node OPTIONS dist/main.js`. */
const NODE_OPTIONS = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  .scripts.start.split(' ')
  .slice(1, -1);
const START_LIMIT_MS = 20_000;
const POLL_MS = 20;

/**
 * Where a server runs.
 *
 * @typedef {object} Place
 * @property {string} folder for its log, and for Hashpost's ssl/, which the others use too
 * @property {string} database
 * @property {readonly string[]} under a program, with its arguments, that runs the server
 */

/** How each contender is started: its arguments to node, and what it wants in its environment. */
const contenders = {
  raw: peer('raw'),
  hashpost: hashpost(({ database }) => `file:${database}`),
  'hashpost-metrics': hashpost(({ database }) => `file:${database}`, { METRICS_PORT: '0' }),
  'hashpost-memory': hashpost(() => 'memory:'),
  'hashpost-traced': hashpost(({ database }) => `file:${database}`, {}, ['--trace-gc-nvp']),
  apollo: peer('apollo'),
  yoga: peer('yoga'),
  mercurius: peer('mercurius'),
  'mercurius-jit': peer('mercurius', 'jit'),
};

export const contenderNames = Object.keys(contenders);

function hashpost(databaseUrl, settings = {}, options = []) {
  return (place) => ({
    args: [...NODE_OPTIONS, ...options, HASHPOST],
    env: { HOST: '127.0.0.1', PORT: '0', DATABASE_URL: databaseUrl(place), ...settings },
  });
}

function peer(name, ...args) {
  const script = fileURLToPath(new URL(`contenders/${name}.js`, import.meta.url));
  return ({ folder, database }) => ({
    args: [script, database, join(folder, 'ssl'), ...args],
    env: { NODE_ENV: 'production' },
  });
}

/**
 * Starts a contender, with what it prints going to a file, as in production.
 *
 * @param {Place} place
 * @returns {Promise<{ name: string, url: string, pid: number, logFile: string, tail: () => string,
 *   stop: () => Promise<void> }>} when it listens; `tail` gives the last lines that it printed
 * @throws {Error} with what it printed, when it ends instead, or says nothing
 */
export async function startServer(name, { folder, database, under }) {
  const { args, env } = contenders[name]({ folder, database });
  const logFile = join(folder, `${name}.log`);
  const log = openSync(logFile, 'w');
  const child = start([...under, process.execPath, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const deadline = Date.now() + START_LIMIT_MS;
  for (;;) {
    const output = readFileSync(logFile, 'utf8');
    const url = /"url":"([^"]+)"/.exec(output)?.[1];
    if (url !== undefined) {
      const tail = () => execFileSync('tail', ['-n', '20', logFile], { encoding: 'utf8' });
      return { name, url, pid: child.pid, logFile, tail, stop: () => stop(child) };
    }
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
      await stop(child);
      throw new Error(`${name} does not start: ${output}`);
    }
    await sleep(POLL_MS);
  }
}
