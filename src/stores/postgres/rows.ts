import type { MessageSummary, Sha, StoredMessage } from '../../messages/message.ts';

/** bigint as the driver gives it: in digits, because a number could not hold them all. Ours always can. */
export type Digits = string;

/** The columns of one message, as a row of `MessageRow`. */
export const MESSAGE_COLUMNS = `encode(sha, 'hex'), created_at, content`;

export type MessageRow = [sha: Sha, createdAt: Digits, content: Buffer];

export type SummaryRow = [sha: Sha, createdAt: Digits, bytes: number];

export function toKey(sha: Sha): Buffer {
  return Buffer.from(sha, 'hex');
}

export function toStoredMessage([sha, createdAt, content]: MessageRow): StoredMessage {
  return { sha, text: content.toString('utf8'), createdAt: Number(createdAt) };
}

export function toSummary([sha, createdAt, bytes]: SummaryRow): MessageSummary {
  return { sha, bytes, createdAt: new Date(Number(createdAt)) };
}
