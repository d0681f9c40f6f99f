import type { MessageSummary, Sha, StoredMessage } from '../../messages/message.ts';

/** A message by its key. */
export const FIND_SQL = 'SELECT created_at, content FROM message WHERE sha = ?';

export function toKey(sha: Sha): Uint8Array {
  return Buffer.from(sha, 'hex');
}

/** From a row with the columns created_at and content, as node:sqlite returns it. */
export function toStoredMessage(sha: Sha, row: Record<string, unknown>): StoredMessage {
  return { sha, createdAt: row['created_at'] as number, content: row['content'] as Uint8Array };
}

/** From a row with the columns sha (in hexadecimal), created_at and bytes. */
export function toSummary(row: Record<string, unknown>): MessageSummary {
  return { sha: row['sha'] as Sha, bytes: row['bytes'] as number, createdAt: new Date(row['created_at'] as number) };
}
