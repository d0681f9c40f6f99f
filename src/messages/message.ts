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

/**
 * A message as stores take it and give it back; what comes back has yet to be checked. A store keeps the text as its
 * UTF-8 bytes, because NUL is legal in it and the sha is defined on bytes.
 */
export interface StoredMessage {
  readonly sha: Sha;
  readonly text: string;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
}

const shaPattern = /^[0-9a-f]{64}$/;

export function isSha(value: unknown): value is Sha {
  return typeof value === 'string' && shaPattern.test(value);
}

/** @throws AppError BAD_USER_INPUT unless the value is 64 lowercase hexadecimal digits. */
export function parseSha(value: unknown): Sha {
  if (isSha(value)) return value;
  throw new AppError('BAD_USER_INPUT', 'A sha is 64 lowercase hexadecimal digits.');
}

export function shaOf(text: string): Sha {
  return hash('sha256', text, 'hex') as Sha;
}

export function tooLarge(maxBytes: number): AppError {
  return new AppError('BODY_TOO_LARGE', `A message may have at most ${maxBytes} bytes of UTF-8.`);
}

/**
 * The one text check of both doors, and the sha of what passes it.
 *
 * Nothing is trimmed, normalised or repaired. A lone surrogate has no UTF-8 form, and encoders would quietly turn
 * every one of them into U+FFFD, giving different texts one sha; so such a text is refused.
 *
 * @throws AppError BAD_USER_INPUT for ill-formed Unicode, BODY_TOO_LARGE above `maxBytes` bytes of UTF-8.
 */
export function createMessage(text: string, maxBytes: number, createdAt: number): StoredMessage {
  // No UTF-16 unit takes less than one byte of UTF-8, so this spares measuring what is too long anyway.
  if (text.length > maxBytes) throw tooLarge(maxBytes);
  if (!text.isWellFormed()) {
    throw new AppError('BAD_USER_INPUT', 'The message is not well-formed Unicode: it has a lone surrogate.');
  }
  if (Buffer.byteLength(text) > maxBytes) throw tooLarge(maxBytes);
  return { sha: shaOf(text), text, createdAt };
}

/**
 * What a store gave back, after hashing it again: a store can rot, and what rotted is never served. It is the text that is
 * hashed, as it will be served, so bytes that are no UTF-8 any more do not pass either. The sha of the result is the one
 * made here: that of a request may be a slice of a whole document, which a cache would keep alive with it.
 *
 * @throws AppError INTEGRITY_ERROR when the text does not have the sha that it is kept under.
 */
export function verifyMessage(stored: StoredMessage): Message {
  const sha = shaOf(stored.text);
  if (sha !== stored.sha) throw new AppError('INTEGRITY_ERROR');
  return toMessage({ ...stored, sha });
}

/** @param stored known to be sound. */
export function toMessage({ sha, text, createdAt }: StoredMessage): Message {
  return { sha, text, bytes: Buffer.byteLength(text), createdAt: new Date(createdAt) };
}
