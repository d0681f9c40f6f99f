import { statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError } from '../../errors.ts';
import type { StoreStats } from '../../messages/message.store.ts';

/** Less than this is as good as full: the log, and what is under way, may need as much. */
const ROOM_BYTES = 64 * 1024 * 1024;

/**
 * @param path of a database; null, as SQLite has it, for one in memory.
 * @throws AppError STORE_UNAVAILABLE when its folder is gone.
 */
export async function measureDisk(path: string | null): Promise<Pick<StoreStats, 'walBytes' | 'freeBytes'>> {
  if (path === null) return {};
  const wal = statSync(`${path}-wal`, { throwIfNoEntry: false });
  return { ...(wal && { walBytes: wal.size }), freeBytes: await freeBytes(path) };
}

/** @throws AppError NOT_READY when the disk of a database is almost full, STORE_UNAVAILABLE when it is gone. */
export async function assertRoom(path: string | null): Promise<void> {
  if (path === null || (await freeBytes(path)) >= ROOM_BYTES) return;
  throw new AppError('NOT_READY', 'The disk of the store is almost full.');
}

/** What a user without privileges may still write to the disk of a file. */
async function freeBytes(path: string): Promise<number> {
  try {
    const { bavail, bsize, blocks } = await statfs(dirname(path));
    // Some file systems do not tell.
    return blocks === 0 ? Infinity : bavail * bsize;
  } catch (error) {
    throw new AppError('STORE_UNAVAILABLE', undefined, { cause: error });
  }
}
