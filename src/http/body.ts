import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { AppError } from '../errors.ts';
import type { RequestContext } from './context.ts';

/** JSON escapes a byte of text with at most six (`\u0001`); the rest is room for what stands around the text. */
export function bodyLimitFor(maxMessageBytes: number): number {
  return 6 * maxMessageBytes + 4096;
}

/** Deeper nesting than any request needs, and far below what makes a recursive reader fail. */
const MAX_DEPTH = 32;

export interface BodyOptions {
  /** In bytes as they arrive. */
  readonly limit: number;
  /** Thrown above it. */
  readonly tooLarge: () => AppError;
}

/**
 * Reads a body as JSON, strictly: plain UTF-8, bounded in bytes before and while it is read, bounded in depth.
 *
 * @throws AppError UNSUPPORTED_MEDIA_TYPE, INVALID_UTF8, INVALID_JSON, or what `tooLarge` makes.
 */
export async function readJson(context: RequestContext, options: BodyOptions): Promise<unknown> {
  assertPlainUtf8(context.req);
  return parseJson(await readBody(context, options));
}

function parseJson(body: Buffer): unknown {
  if (body.length === 0) throw new AppError('INVALID_JSON', 'The body is empty; send JSON.');
  if (!isUtf8(body)) throw new AppError('INVALID_UTF8');
  const json = body.toString('utf8');
  assertDepth(json);
  try {
    return JSON.parse(json) as unknown;
  } catch {
    // The parser's own message quotes the input, so it is not even kept as the cause.
    throw new AppError('INVALID_JSON');
  }
}

/** A body in another encoding could only be guessed at; a compressed one could unpack to any size. */
function assertPlainUtf8(req: IncomingMessage): void {
  const encoding = req.headers['content-encoding'] ?? 'identity';
  if (encoding.trim().toLowerCase() !== 'identity') {
    throw new AppError(
      'UNSUPPORTED_MEDIA_TYPE',
      'A compressed body is not accepted; send it without Content-Encoding.',
    );
  }
  const contentType = req.headers['content-type'] ?? '';
  if (contentType === 'application/json') return;
  for (const [, charset = ''] of contentType.matchAll(/;\s*charset\s*=\s*("[^"]*"|[^;\s]*)/gi)) {
    if (!/^"?utf-?8"?$/i.test(charset)) {
      throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'The body must be UTF-8; send it with that charset or with none.');
    }
  }
}

/** @throws what `tooLarge` makes, at once where the length is announced. */
function readBody(context: RequestContext, { limit, tooLarge }: BodyOptions): Promise<Buffer> {
  const { req, res } = context;
  if (Number(req.headers['content-length'] ?? 0) > limit) throw tooLarge();
  // The server leaves this answer to us, so that a body is only asked for when it will be read (RFC 9110, 10.1.1).
  if (req.headers.expect !== undefined && req.httpVersion === '1.1') res.writeContinue();
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let length = 0;
    req.on('data', (chunk: Buffer) => {
      length += chunk.length;
      context.receivedBytes = length;
      if (length <= limit) {
        chunks.push(chunk);
      } else {
        // What still comes is read and forgotten.
        chunks = [];
        reject(tooLarge());
      }
    });
    req.on('end', () => {
      if (length <= limit) resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, length));
    });
    req.on('close', () => {
      if (!req.complete) reject(new AppError('BAD_REQUEST', 'The request ended before its body was complete.'));
    });
  });
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c];

/** One pass over the text; strings, where nearly all of it is, are skipped from quote to quote. */
function assertDepth(json: string): void {
  let depth = 0;
  for (let index = 0; index < json.length; index++) {
    const unit = json.charCodeAt(index);
    if (unit === QUOTE) {
      index = endOfString(json, index);
    } else if (unit === 0x5b || unit === 0x7b) {
      if (++depth > MAX_DEPTH) throw new AppError('INVALID_JSON', `The body nests deeper than ${MAX_DEPTH} levels.`);
    } else if (unit === 0x5d || unit === 0x7d) {
      depth--;
    }
  }
}

/** The index of the quote that closes the string opened at `start`, or the end of the input. */
function endOfString(json: string, start: number): number {
  let quote = json.indexOf('"', start + 1);
  while (quote !== -1 && isEscaped(json, quote)) quote = json.indexOf('"', quote + 1);
  return quote === -1 ? json.length : quote;
}

function isEscaped(json: string, index: number): boolean {
  let backslashes = 0;
  while (json.charCodeAt(index - 1 - backslashes) === BACKSLASH) backslashes++;
  return backslashes % 2 === 1;
}
