import { text as readAll } from 'node:stream/consumers';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { fileURLToPath } from 'node:url';
import { residentMiB, start } from './processes.js';
import { startServer } from './servers.js';
import { works } from './works.js';

const LOAD = fileURLToPath(new URL('load.js', import.meta.url));
const FIRST_WARM_SECONDS = 2;
/** Connections are made anew for each round. */
const WARM_SECONDS = 0.5;
/** Any peer would do: next to the disk, its own time does not count. */
export const ONE_COMMIT_PER_REQUEST = 'mercurius-jit';

/**
 * What a contender took for a work: the medians of its rounds.
 *
 * @typedef {object} Figures
 * @property {number} cpuPerRequest microseconds of the server's CPU, user and system, all threads
 * @property {number} busy share of one core that the server used
 * @property {number} requestsPerSecond
 * @property {number} p50 milliseconds
 * @property {number} p99 milliseconds
 * @property {number} rss MiB after the last round
 *
 * @typedef {object} Setting
 * @property {string} folder
 * @property {string} database
 * @property {number} rows
 * @property {number} rounds
 * @property {number} seconds
 * @property {{ server: string[], load: string[] }} pins
 * @property {(step: string) => void} progress
 */

/**
 * Measures contenders at one work, in turns.
 *
 * @param {string} work
 * @param {readonly string[]} names
 * @param {Setting} setting
 * @returns {Promise<Map<string, Figures>>} by contender
 * @throws {Error} when a contender gives another answer than the right one, before the measurement or in it
 */
export async function measureWork(work, names, setting) {
  const { folder, database, rounds, pins, progress } = setting;
  const servers = [];
  for (const name of names) servers.push(await startServer(name, { folder, database, under: pins.server }));
  for (const server of servers) await checkAnswers(server, work, setting);
  const seen = new Map(names.map((name) => [name, []]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const server of servers) {
      const warmSeconds = round === 1 ? FIRST_WARM_SECONDS : WARM_SECONDS;
      const figures = await load(server, { work, connections: works[work].connections, warmSeconds }, setting);
      seen.get(server.name).push(figures);
      progress(`${work}, round ${round} of ${rounds}, ${server.name}: ${figures.cpuPerRequest.toFixed(1)} µs`);
    }
  }
  const result = new Map(
    servers.map(({ name, pid }) => [name, { ...mediansOf(seen.get(name)), rss: residentMiB(pid) }]),
  );
  for (const server of servers) await server.stop();
  return result;
}

/**
 * Measures durable writes while every sync of the disk takes longer: Hashpost's, whose commits are shared by whoever
 * waits, and those of a server that makes one commit per request.
 *
 * @param {number} milliseconds
 * @param {Setting} setting
 * @returns {Promise<{ milliseconds: number, shared: number, single: number }>} the latter two in requests per second
 */
export async function measureSlowSync(milliseconds, setting) {
  const { folder, database, pins, progress } = setting;
  const calls = 'fsync,fdatasync';
  const inject = `inject=${calls}:delay_exit=${milliseconds * 1000}`;
  const strace = ['strace', '-f', '--seccomp-bpf', '-o', '/dev/null', '-e', `trace=${calls}`, '-e', inject];
  const measure = async (name, work) => {
    const server = await startServer(name, { folder, database, under: [...pins.server, ...strace] });
    const { connections } = works.post;
    const figures = await load(server, { work, connections, warmSeconds: FIRST_WARM_SECONDS }, setting);
    await server.stop();
    progress(`slow-sync, ${name}: ${figures.requestsPerSecond.toFixed(0)} requests/s`);
    return figures.requestsPerSecond;
  };
  return {
    milliseconds,
    shared: await measure('hashpost', 'post'),
    single: await measure(ONE_COMMIT_PER_REQUEST, 'add'),
  };
}

/** Asks every kind of call of a work once. The raw handler answers the same to all, so only that it answers counts. */
async function checkAnswers({ name, url }, work, { folder, rows }) {
  const ca = readFileSync(join(folder, 'ssl', 'server.crt'));
  for (const makeCall of new Set(works[work].calls)) {
    const call = makeCall(rows);
    const { status, body } = await send(url, call, ca);
    const isRight = name === 'raw' || isDeepStrictEqual(JSON.parse(body), call.answer());
    if (status < 200 || status > 299 || !isRight) {
      throw new Error(`${name} answers ${call.method} ${call.path} ${call.body ?? ''} with ${status} ${body}`);
    }
  }
}

async function send(url, { method, path, body }, ca) {
  const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
  const sent = request(new URL(path, url), { method, headers, ca, agent: false });
  sent.end(body);
  const [response] = await once(sent, 'response');
  return { status: response.statusCode, body: await readAll(response) };
}

/** One round of load on one server. @returns {Promise<Omit<Figures, 'rss'>>} */
export async function load({ name, url, pid, tail }, { work, connections, warmSeconds }, { rows, seconds, pins }) {
  const task = { url, pid, work, rows, connections, warmSeconds, seconds };
  const child = start([...pins.load, process.execPath, LOAD, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output, [code]] = await Promise.all([readAll(child.stdout), once(child, 'exit')]);
  if (code !== 0) throw new Error(`${name} failed under load; it printed last:\n${tail()}`);
  return JSON.parse(output);
}

function mediansOf(rounds) {
  return Object.fromEntries(Object.keys(rounds[0]).map((key) => [key, medianOf(rounds.map((round) => round[key]))]));
}

function medianOf(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2;
}
