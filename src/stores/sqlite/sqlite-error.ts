import { AppError, type ErrorCode } from '../../errors.ts';

/** What node:sqlite says of a failure; plain, so that it can pass between threads. */
export interface SqliteFailure {
  readonly errcode: number;
  readonly message: string;
}

/** What result codes mean to a client (sqlite.org/rescode.html); all others are STORE_UNAVAILABLE. */
const errorCodes = new Map<number, ErrorCode>([
  [5, 'STORE_BUSY'], // SQLITE_BUSY
  [6, 'STORE_BUSY'], // SQLITE_LOCKED
  [13, 'STORE_FULL'], // SQLITE_FULL
  [778, 'STORE_FULL'], // SQLITE_IOERR_WRITE: a quota or a limit on the file's size
  [4874, 'STORE_FULL'], // SQLITE_IOERR_SHMSIZE: no room for the -shm file
]);

/**
 * After these nobody knows what is on the disk. A failed sync above all: the system may drop the pages that it could
 * not write and call the next sync of them a success, so a second attempt proves nothing.
 */
const fatalCodes: ReadonlySet<number> = new Set([
  11, // SQLITE_CORRUPT
  26, // SQLITE_NOTADB
  1034, // SQLITE_IOERR_FSYNC
  1290, // SQLITE_IOERR_DIR_FSYNC
  1546, // SQLITE_IOERR_TRUNCATE
  8458, // SQLITE_IOERR_CORRUPTFS
]);

/** The primary code of an extended one is in its low byte. */
const primaryOf = (errcode: number): number => errcode & 0xff;

/** @returns undefined for what SQLite did not throw: a fault of the program. */
export function toSqliteFailure(error: unknown): SqliteFailure | undefined {
  const { errcode, message = '' } = Object(error) as Partial<SqliteFailure>;
  return errcode === undefined ? undefined : { errcode, message };
}

/**
 * For a failure after which writing can go on.
 * @throws the error itself where it cannot: the store is in doubt, or the program is wrong.
 */
export function toPassingFailure(error: unknown): SqliteFailure {
  const failure = toSqliteFailure(error);
  if (!failure || fatalCodes.has(failure.errcode) || fatalCodes.has(primaryOf(failure.errcode))) throw error;
  return failure;
}

/** The failure as the port promises it. */
export function toStoreError({ errcode, message }: SqliteFailure): AppError {
  return new AppError(errorCodeOf(errcode), undefined, {
    cause: Object.assign(new Error(message), { code: 'ERR_SQLITE_ERROR' }),
  });
}

/** Whether another connection holds the lock, for whatever reason. */
export function isBusy({ errcode }: SqliteFailure): boolean {
  return primaryOf(errcode) === 5;
}

/** Whether the file is no sound database, whatever the reason. */
export function isCorrupt({ errcode }: SqliteFailure): boolean {
  return primaryOf(errcode) === 11 || primaryOf(errcode) === 26;
}

export function isLackOfRoom({ errcode }: SqliteFailure): boolean {
  return errorCodeOf(errcode) === 'STORE_FULL';
}

function errorCodeOf(errcode: number): ErrorCode {
  return errorCodes.get(errcode) ?? errorCodes.get(primaryOf(errcode)) ?? 'STORE_UNAVAILABLE';
}
