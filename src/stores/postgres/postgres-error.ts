import pg from 'pg';
import { AppError, type ErrorCode } from '../../errors.ts';

/** What SQLSTATEs mean to a client (PostgreSQL manual, appendix A); all others are STORE_UNAVAILABLE. */
const errorCodes: ReadonlyMap<string, ErrorCode> = new Map([
  ['40001', 'STORE_BUSY'], // serialization_failure; on a follower, a conflict with what it replays
  ['40P01', 'STORE_BUSY'], // deadlock_detected
  ['55P03', 'STORE_BUSY'], // lock_not_available
  ['57014', 'STORE_BUSY'], // query_canceled, above all by statement_timeout
  ['53300', 'STORE_BUSY'], // too_many_connections
  ['53100', 'STORE_FULL'], // disk_full
]);

/** Classes of SQLSTATE by which a server says that it, or this connection to it, is of no use now. */
const UNFIT_SERVER = /^(08|57P|28|3D|25006)/;

/** All connections of a pool are in use, and none came back in time. */
export class PoolExhaustedError extends Error {
  override readonly name = 'PoolExhaustedError';
}

/** A server that answers, but not as this program needs it. */
export class UnfitServerError extends Error {
  override readonly name = 'UnfitServerError';
}

/** The failure as the port promises it, with a cause for the log; a fault of the program stays what it is. */
export function toStoreError(error: unknown): unknown {
  if (error instanceof AppError || error instanceof TypeError || !(error instanceof Error)) return error;
  return new AppError(errorCodeOf(error), undefined, {
    cause: Object.assign(new Error(describe(error)), { name: error.name, code: 'ERR_POSTGRES' }),
  });
}

/** Whether the server may be down, rather than have refused one statement. */
export function isServerFailure(error: unknown): boolean {
  if (error instanceof PoolExhaustedError) return false;
  return error instanceof pg.DatabaseError ? UNFIT_SERVER.test(error.code ?? '') : true;
}

/** Whether a server has no room for one connection more. */
export function isRefusedForRoom(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '53300';
}

/** In words for an operator; never with a value of a statement, which classes 22 and 23 quote. */
export function describe(error: Error): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (!(error instanceof pg.DatabaseError)) return message || String(code);
  return /^2[23]/.test(code ?? '') ? `SQLSTATE ${code}` : `${message} (SQLSTATE ${code})`;
}

function errorCodeOf(error: Error): ErrorCode {
  if (error instanceof PoolExhaustedError) return 'STORE_BUSY';
  const { code = '' } = error as NodeJS.ErrnoException;
  return errorCodes.get(code) ?? 'STORE_UNAVAILABLE';
}
