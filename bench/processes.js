import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Everything that this run has started or made, so that nothing of it outlives the run, however that ends. */
const running = new Set();
const folders = new Set();

process.on('exit', () => {
  for (const child of running) signal(child, 'SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const [name, number] of Object.entries({ SIGINT: 2, SIGTERM: 15, SIGHUP: 1 })) {
  process.on(name, () => process.exit(128 + number));
}

export function createTemporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'hashpost-bench-'));
  folders.add(folder);
  return folder;
}

/** Starts a program in a process group of its own, where Ctrl-C does not reach it and one signal reaches all of it. */
export function start([command, ...args], options) {
  const child = spawn(command, args, { ...options, detached: true });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

export async function stop(child) {
  if (!running.has(child)) return;
  const ended = once(child, 'exit');
  signal(child, 'SIGTERM');
  await ended;
}

function signal({ pid }, name) {
  try {
    process.kill(-pid, name);
  } catch (error) {
    // It has ended by itself, or was never there.
    if (error.code !== 'ESRCH') throw error;
  }
}

export function has(program) {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/**
 * Commands that keep the server on the first core that this process may use, and the load on the last one.
 *
 * @returns {{ server: string[], load: string[], cores: [number, number] | undefined }} empty commands where there is
 *   one core, or no taskset
 */
export function pinning() {
  const allowed = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1].match(/\d+/g);
  const [first, last] = [Number(allowed[0]), Number(allowed.at(-1))];
  if (first === last || !has('taskset')) return { server: [], load: [], cores: undefined };
  const pin = (core) => ['taskset', '--cpu-list', `${core}`];
  return { server: pin(first), load: pin(last), cores: [first, last] };
}

/** User and system time of a process with all of its threads (proc_pid_stat(5): utime, stime, in ticks of 10 ms). */
export function cpuMicroseconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [utime, stime] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return (Number(utime) + Number(stime)) * 10_000;
}

export function residentMiB(pid) {
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}

/** How many cores the whole machine keeps busy, watched for two seconds. */
export async function busyCores() {
  const before = cpus();
  await sleep(2000);
  return cpus().reduce((busy, { times }, core) => {
    const idle = times.idle - before[core].times.idle;
    const all = sum(times) - sum(before[core].times);
    return busy + 1 - idle / all;
  }, 0);
}

function sum(times) {
  return Object.values(times).reduce((total, time) => total + time, 0);
}
