import { hash } from 'node:crypto';
import { AppError } from '../errors.ts';

declare const shaBrand: unique symbol;

/** 64 lowercase hexadecimal digits: the SHA-256 (FIPS 180-4) of a text's UTF-8 bytes. */
export type Sha = string & { readonly [shaBrand]: true };

/** What is known of a message without its text. */
export interface MessageSummary {
  readonly sha: Sha;
  /** Length of the text in UTF-8 bytes. */
  readonly bytes: number;
  /** When it was first stored. */
  readonly createdAt: Date;
}

/** A message as clients see it. */
export interface Message extends MessageSummary {
  readonly text: string;
}

/** A message as stores keep it: the text as its UTF-8 bytes, because NUL is legal and the sha is defined on bytes. */
export interface StoredMessage {
  readonly sha: Sha;
  readonly content: Uint8Array;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
}

const utf8Encoder = new TextEncoder();

const shaPattern = /^[0-9a-f]{64}$/;

export function isSha(value: unknown): value is Sha {
  return typeof value === 'string' && shaPattern.test(value);
}

/** @throws AppError BAD_USER_INPUT unless the value is 64 lowercase hexadecimal digits. */
export function parseSha(value: unknown): Sha {
  if (isSha(value)) return value;
  throw new AppError('BAD_USER_INPUT', 'A sha is 64 lowercase hexadecimal digits.');
}

export function shaOf(content: Uint8Array): Sha {
  return hash('sha256', content, 'hex') as Sha;
}

export function tooLarge(maxBytes: number): AppError {
  return new AppError('BODY_TOO_LARGE', `A message may have at most ${maxBytes} bytes of UTF-8.`);
}

/**
 * Text to bytes to sha: the one text check of both doors.
 *
 * Nothing is trimmed, normalised or repaired. A lone surrogate has no UTF-8 form, and encoders would quietly turn
 * every one of them into U+FFFD, giving different texts one sha; so such a text is refused.
 *
 * @throws AppError BAD_USER_INPUT for ill-formed Unicode, BODY_TOO_LARGE above `maxBytes` bytes of UTF-8.
 */
export function encodeMessage(text: string, maxBytes: number, createdAt: number): StoredMessage {
  // No UTF-16 unit takes less than one byte of UTF-8, so this spares encoding what is too long anyway.
  if (text.length > maxBytes) throw tooLarge(maxBytes);
  if (!text.isWellFormed()) {
    throw new AppError('BAD_USER_INPUT', 'The message is not well-formed Unicode: it has a lone surrogate.');
  }
  const content = utf8Encoder.encode(text);
  if (content.byteLength > maxBytes) throw tooLarge(maxBytes);
  return { sha: shaOf(content), content, createdAt };
}

/**
 * Bytes back to text, after re-hashing them: a store can rot, and what rotted is never served.
 *
 * @throws AppError INTEGRITY_ERROR when the bytes do not have the sha that they are kept under.
 */
export function decodeMessage(stored: StoredMessage): Message {
  const { sha, content } = stored;
  if (shaOf(content) !== sha) throw new AppError('INTEGRITY_ERROR');
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('utf8');
  return toMessage(stored, text);
}

/** A message of which the text is known already. */
export function toMessage({ sha, content, createdAt }: StoredMessage, text: string): Message {
  return { sha, text, bytes: content.byteLength, createdAt: new Date(createdAt) };
}
