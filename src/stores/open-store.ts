import type { MessageSource, MessageStore } from '../messages/message.store.ts';
import type { PostgresLocation } from './postgres/postgres.store.ts';
import { findFileFaults } from './sqlite/file-faults.ts';
import { openMemoryStore, openSqliteSource, openSqliteStore } from './sqlite/sqlite.store.ts';

/** What a DATABASE_URL names. */
export type StoreLocation =
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: string };

/** What only PostgreSQL has. */
export type PostgresOptions = Omit<PostgresLocation, 'url'>;

const PRIMARY_ALONE: PostgresOptions = { followers: [], poolSize: 10, onServerChange: () => undefined };

/** Where it is wanted, because a start without it need not wait for its driver. */
const loadPostgres = () => import('./postgres/postgres.store.ts');

/** @throws Error that names the database, without a password, and says why it cannot be used. */
export function openStore(location: StoreLocation, options = PRIMARY_ALONE): Promise<MessageStore> {
  return naming(location, async () => {
    switch (location.kind) {
      case 'memory':
        return openMemoryStore();
      case 'sqlite':
        return openSqliteStore(location.path);
      case 'postgres':
        return (await loadPostgres()).openPostgresStore({ ...options, url: location.url });
    }
  });
}

/**
 * Opens a store that exists, to read it and to change nothing.
 *
 * @throws Error as `openStore` does, also where there is no store yet.
 */
export function openSource(location: StoreLocation): Promise<MessageSource> {
  return naming(location, async () => {
    switch (location.kind) {
      case 'memory':
        return openMemoryStore();
      case 'sqlite':
        return openSqliteSource(location.path);
      case 'postgres':
        return (await loadPostgres()).openPostgresSource({ ...PRIMARY_ALONE, url: location.url });
    }
  });
}

/**
 * What is wrong with the structure of a store's file, in sentences; none where the store has no file of ours.
 *
 * @throws Error as `openStore` does.
 */
export function findStoreFaults(location: StoreLocation): Promise<readonly string[]> {
  return naming(location, () => (location.kind === 'sqlite' ? findFileFaults(location.path) : []));
}

async function naming<Result>(location: StoreLocation, use: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await use();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`the database ${nameOf(location)} cannot be used: ${reason}`, { cause: error });
  }
}

function nameOf(location: StoreLocation): string {
  if (location.kind === 'memory') return 'memory:';
  if (location.kind === 'sqlite') return location.path;
  const { protocol, host, pathname } = new URL(location.url);
  return `${protocol}//${host}${pathname}`;
}
