import type { MessageStore } from '../messages/message.store.ts';
import { openPostgresStore, type PostgresLocation } from './postgres/postgres.store.ts';
import { openMemoryStore, openSqliteStore } from './sqlite/sqlite.store.ts';

/** What a DATABASE_URL names. */
export type StoreLocation =
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: string };

/** What only PostgreSQL has. */
export type PostgresOptions = Omit<PostgresLocation, 'url'>;

const PRIMARY_ALONE: PostgresOptions = { followers: [], poolSize: 10 };

/** @throws Error that names the database, without a password, and says why it cannot be used. */
export async function openStore(location: StoreLocation, options = PRIMARY_ALONE): Promise<MessageStore> {
  try {
    switch (location.kind) {
      case 'memory':
        return openMemoryStore();
      case 'sqlite':
        return await openSqliteStore(location.path);
      case 'postgres':
        return await openPostgresStore({ ...options, url: location.url });
    }
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
