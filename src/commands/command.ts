import { constants } from 'node:os';
import type { Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';

// Exit codes besides 0, of sysexits.h; scripts branch on them, so --help has them. None is 1, as of a process that crashed.
const EXIT_USAGE = 64;
/** EX_DATAERR: something stored is damaged. */
export const EXIT_DAMAGED = 65;
/** What was asked for could not be done. */
const EXIT_UNAVAILABLE = 69;

/** What a command gets from the process. */
export interface CommandContext {
  readonly env: NodeJS.ProcessEnv;
  /** For the result, and nothing else. */
  readonly stdout: Writable;
  /** For progress. */
  readonly stderr: Writable & { readonly isTTY?: boolean };
  /** To be called once: then a signal does not end the process but aborts this, with its name as the reason. */
  readonly listenForStop: () => AbortSignal;
}

export interface Command {
  /** Its arguments, in order. */
  readonly parameters: readonly string[];
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What --help says below the usage. */
  readonly description: string;
  /** @throws CommandError, or whatever kept it from doing its work. */
  run(args: readonly string[], context: CommandContext): Promise<void>;
}

/** Ends the process with one line on stderr. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;

  constructor(message: string, exitCode = EXIT_UNAVAILABLE, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

export function usageError(message: string): CommandError {
  return new CommandError(message, EXIT_USAGE);
}

/** What went wrong, and why where the store says so: whoever runs a command may know more than a client. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message, cause } = error;
  return cause instanceof Error && !message.includes(cause.message) ? `${message} (${cause.message})` : message;
}

/**
 * @param hint what the user may want to know then.
 * @throws CommandError with the exit code that shells give to a process that died of the signal.
 */
export function assertNotStopped({ aborted, reason }: AbortSignal, hint = ''): void {
  if (!aborted) return;
  const signal = reason as NodeJS.Signals;
  throw new CommandError(`stopped by ${signal}${hint}`, 128 + constants.signals[signal]);
}

/**
 * To be awaited between two pieces of work: an embedded store answers within the turn of the event loop in which it is
 * asked, and unless the turn ends, no signal is heard and the store's snapshot stays.
 *
 * @throws CommandError when the command has been told to stop.
 */
export async function pause(stop: AbortSignal, hint?: string): Promise<void> {
  await setImmediate();
  assertNotStopped(stop, hint);
}
