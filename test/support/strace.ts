import { execFileSync } from 'node:child_process';
import { dispose } from './leftovers.ts';
import { spawnService, type ProcessOptions, type ServiceProcess } from './process.ts';

export function assertStrace(): void {
  try {
    execFileSync('strace', ['-V'], { stdio: 'ignore' });
  } catch {
    throw new Error('strace is missing: apt-get install strace');
  }
}

/**
 * The command that runs another one, with all its threads and processes, under strace with these arguments. Only the
 * calls that are traced are slowed down.
 */
export const straceCommand = (...args: readonly string[]): string[] => ['strace', '-f', '-y', '--seccomp-bpf', ...args];

export interface TracedService extends ServiceProcess {
  /** Ends the service and resolves with its exit code. */
  readonly stop: () => Promise<number | NodeJS.Signals | null>;
}

/** The service under strace with these arguments; resolves when it listens. */
export async function spawnTraced(options: ProcessOptions, ...args: readonly string[]): Promise<TracedService> {
  const service = spawnService({ ...options, under: straceCommand(...args) });
  await service.url;
  // strace passes no signal on to what it traces; the service's own id is in its start-up line.
  const { pid } = JSON.parse(service.stdout().split('\n')[0] ?? '') as { pid: number };
  const kill = (signal: NodeJS.Signals): void => {
    if (service.child.exitCode === null) process.kill(pid, signal);
  };
  dispose(() => {
    kill('SIGKILL');
  });
  const stop = (): TracedService['exited'] => {
    kill('SIGTERM');
    return service.exited;
  };
  return { ...service, stop };
}
