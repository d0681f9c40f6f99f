import { AppError, type ErrorCode } from '../../errors.ts';

/** Primary and extended result codes (sqlite.org/rescode.html). */
const codes = new Map<number, ErrorCode>([
  [5, 'STORE_BUSY'], // SQLITE_BUSY
  [6, 'STORE_BUSY'], // SQLITE_LOCKED
  [13, 'STORE_FULL'], // SQLITE_FULL
  [778, 'STORE_FULL'], // SQLITE_IOERR_WRITE
  [4874, 'STORE_FULL'], // SQLITE_IOERR_SHMSIZE
]);

/** The code for what node:sqlite threw; everything that is not about room or locks is STORE_UNAVAILABLE. */
export function toStoreErrorCode(error: unknown): ErrorCode {
  const errcode = error instanceof Error && 'errcode' in error ? Number(error.errcode) : NaN;
  return codes.get(errcode) ?? codes.get(errcode & 0xff) ?? 'STORE_UNAVAILABLE';
}

export function toStoreError(error: unknown): AppError {
  return error instanceof AppError ? error : new AppError(toStoreErrorCode(error), undefined, { cause: error });
}
