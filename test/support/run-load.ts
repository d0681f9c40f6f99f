import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { dispose } from './leftovers.ts';

const LOAD = fileURLToPath(new URL('load.ts', import.meta.url));

export interface LoadOptions {
  readonly url: string;
  readonly ca: string;
  /** As it goes over the wire. */
  readonly request: string;
  readonly connections: number;
  /** Without it, each connection asks again when it has its answer. */
  readonly perSecond?: number;
  readonly seconds: number;
}

export interface LoadResult {
  /** How many answers had which status; `error` for connections that broke. */
  readonly statuses: Readonly<Record<string, number>>;
  /** How many of the answers other than 200 said when to come again. */
  readonly retryAfters: number;
  /** How many requests found no free connection. */
  readonly unsent: number;
  /** Answers of 200 a second. */
  readonly goodput: number;
  /** Milliseconds from when a request was due to its answer, of those with 200. */
  readonly p50: number;
  readonly p99: number;
}

/** Load from a process of its own. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const child = spawn(process.execPath, [LOAD, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] });
  dispose(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await once(child, 'close');
  return JSON.parse(output) as LoadResult;
}
