import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { dispose } from './leftovers.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface ServiceProcess {
  readonly child: ChildProcess;
  /** From its start-up line; rejects when the process ends first. */
  readonly url: Promise<string>;
  readonly exited: Promise<number | NodeJS.Signals | null>;
  readonly stdout: () => string;
  readonly stderr: () => string;
}

export interface ProcessOptions {
  readonly env: Record<string, string>;
  readonly cwd?: string;
  readonly main?: string;
  readonly args?: readonly string[];
  /** A program, with its arguments, that runs the service, such as a tracer. */
  readonly under?: readonly string[];
}

/** A setting that runs some code in the service, and in each of its workers, before the service's own: a fault, a clock. */
export function preload(code: string): { NODE_OPTIONS: string } {
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` };
}

/** The processes that have answered requests, in the order in which they first did. */
export function answeringPids(log: string): Set<number> {
  return new Set([...log.matchAll(/"pid":(\d+)[^\n]*"msg":"request"/g)].map(([, pid]) => Number(pid)));
}

/** The process that answered one request, if the log says. */
export function answeringPid(log: string, requestId: string): number | undefined {
  const pid = new RegExp(`"pid":(\\d+)[^\n]*"requestId":"${requestId}"`).exec(log)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

/** The service as users run it: dist/main.js in a process of its own, in an environment of just these settings. */
export function spawnService({ env, cwd, main = MAIN, args = [], under = [] }: ProcessOptions): ServiceProcess {
  const [command = process.execPath, ...commandArgs] = [...under, process.execPath, main, ...args];
  const child = spawn(command, commandArgs, {
    env: { PATH: process.env['PATH'], ...env },
    cwd: cwd ?? ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  dispose(() => child.kill('SIGKILL'));
  let [stdout, stderr] = ['', ''];
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = once(child, 'close').then(([code, signal]) => (signal ?? code) as number | NodeJS.Signals | null);
  const url = new Promise<string>((resolve, reject) => {
    let found: string | undefined;
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      // Only until it is there: to look through a long log again and again takes all the time of the test.
      if (found !== undefined) return;
      found = /"url":"([^"]+)"/.exec(stdout)?.[1];
      if (found !== undefined) resolve(found);
    });
    void exited.then((code) => {
      reject(new Error(`the service ended with ${String(code)}: ${stderr}`));
    });
  });
  // Whoever only waits for the end need not handle this.
  url.catch(() => undefined);
  return { child, url, exited, stdout: () => stdout, stderr: () => stderr };
}
