import { pino, type DestinationStream, type Logger } from 'pino';
import { AppError } from '../errors.ts';
import { createStdout } from './destination.ts';

export type { Logger };

/** A logger, and what is needed to write lines beside it. */
export interface Log {
  readonly logger: Logger;
  /** Where the logger writes. */
  readonly destination: DestinationStream;
  /** Members of every line. */
  readonly base: Readonly<Record<string, unknown>>;
}

/** Logs JSON lines to stdout, or to the given destination. */
export function createLog(level: string, destination: DestinationStream = createStdout()): Log {
  const base = { pid: process.pid };
  return { logger: pino({ level, base, serializers: { err: describeError } }, destination), destination, base };
}

/**
 * What the log may say of an error, by allow-list: its kind, code and stack frames, and its sentence only where that
 * cannot quote input. Parsers, validators and the like put what they were given into their messages and properties.
 */
export function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error };
  const code = 'code' in error ? error.code : undefined;
  return {
    type: error.name,
    ...(typeof code === 'string' && { code }),
    ...(hasSafeMessage(error, code) && { message: error.message }),
    stack: error.stack?.split('\n').filter((line) => /^\s+at /.test(line)),
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}

/** Of errors whose sentences are those of the databases, or our own about their files. */
const SAFE_CODES: readonly unknown[] = ['ERR_SQLITE_ERROR', 'ERR_POSTGRES', 'ERR_DATABASE_FILE'];

/** Our own sentences, and those of the databases and the operating system, which name files and results but no values. */
function hasSafeMessage(error: Error, code: unknown): boolean {
  if (error instanceof AppError || SAFE_CODES.includes(code)) return true;
  return 'errno' in error && 'syscall' in error;
}
