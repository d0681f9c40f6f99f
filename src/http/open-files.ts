import { readFileSync } from 'node:fs';

/** For files, the store's connections, and what Node itself has open. */
const RESERVE = 100;

/**
 * How many of so many connections the process has room for: beyond the limit of open files none is accepted, and no file
 * can be opened either. In small limits half is kept for the rest.
 */
export function affordableConnections(wanted: number): number {
  const limit = openFilesLimit();
  return Math.min(wanted, limit - Math.min(RESERVE, Math.ceil(limit / 2)));
}

/** The soft limit, which Node has raised to the hard one; no limit where the system does not tell. */
function openFilesLimit(): number {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? Infinity : Number(limit);
  } catch {
    return Infinity;
  }
}
