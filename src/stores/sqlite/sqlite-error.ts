import { AppError, type ErrorCode } from '../../errors.ts';

/** Primary and extended result codes (sqlite.org/rescode.html). */
const codes = new Map<number, ErrorCode>([
  [5, 'STORE_BUSY'], // SQLITE_BUSY
  [6, 'STORE_BUSY'], // SQLITE_LOCKED
  [13, 'STORE_FULL'], // SQLITE_FULL
  [778, 'STORE_FULL'], // SQLITE_IOERR_WRITE: a quota or a limit on the file's size
  [4874, 'STORE_FULL'], // SQLITE_IOERR_SHMSIZE: no room for the -shm file
]);

/** What node:sqlite says of a failure; plain, so that it can pass between threads. */
export interface SqliteFailure {
  readonly errcode: number;
  readonly message: string;
}

/** @returns undefined for what SQLite did not throw: a fault of the program. */
export function toSqliteFailure(error: unknown): SqliteFailure | undefined {
  if (!(error instanceof Error && 'errcode' in error)) return undefined;
  return { errcode: Number(error.errcode), message: error.message };
}

/** The failure as the port promises it; what is not about room or locks is STORE_UNAVAILABLE. */
export function toStoreError({ errcode, message }: SqliteFailure): AppError {
  const code = codes.get(errcode) ?? codes.get(errcode & 0xff) ?? 'STORE_UNAVAILABLE';
  return new AppError(code, undefined, { cause: Object.assign(new Error(message), { code: 'ERR_SQLITE_ERROR' }) });
}
