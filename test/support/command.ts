import { spawnService, type ProcessOptions, type ServiceProcess } from './process.ts';

export interface CommandResult {
  readonly code: number | NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command, as users run it: dist/main.js in a process of its own. */
export function spawnCommand(args: readonly string[], options: Partial<ProcessOptions> = {}): ServiceProcess {
  return spawnService({ env: {}, ...options, args });
}

export async function runCommand(args: readonly string[], options?: Partial<ProcessOptions>): Promise<CommandResult> {
  return resultOf(spawnCommand(args, options));
}

export async function resultOf({ exited, stdout, stderr }: ServiceProcess): Promise<CommandResult> {
  const code = await exited;
  return { code, stdout: stdout(), stderr: stderr() };
}
