import type { MessageStore } from '../messages/message.store.ts';
import { openMemoryStore, openSqliteStore } from './sqlite/sqlite.store.ts';

/** What a DATABASE_URL names. */
export type StoreLocation = { readonly kind: 'memory' } | { readonly kind: 'sqlite'; readonly path: string };

/** @throws Error that names the file and says why it cannot be used. */
export async function openStore(location: StoreLocation): Promise<MessageStore> {
  if (location.kind === 'memory') return openMemoryStore();
  try {
    return await openSqliteStore(location.path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`the database ${location.path} cannot be used: ${reason}`, { cause: error });
  }
}
