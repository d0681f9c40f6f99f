import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ServerResponse } from 'node:http';

/** Of answers that have no Content-Length. */
const streamedBytes = new WeakMap<ServerResponse, number>();

export const JSON_TYPE = 'application/json; charset=utf-8';

/** Answers a body that is complete; HEAD gets the same headers and no body. */
export function send(res: ServerResponse, status: number, contentType: string, body: string): void {
  res.statusCode = status;
  res.setHeader('Content-Type', contentType);
  res.setHeader('Content-Length', Buffer.byteLength(body));
  res.end(body);
}

export function sendJson(res: ServerResponse, status: number, value: unknown): void {
  send(res, status, JSON_TYPE, JSON.stringify(value));
}

/**
 * Answers a body of ASCII as it is made, no faster than the client reads it. When making it fails, the connection is
 * cut, and the error is thrown.
 */
export async function sendStream(
  res: ServerResponse,
  contentType: string,
  chunks: AsyncIterable<string>,
): Promise<void> {
  let bytes = 0;
  async function* counted(): AsyncGenerator<string> {
    for await (const chunk of chunks) {
      streamedBytes.set(res, (bytes += chunk.length));
      yield chunk;
    }
  }
  res.setHeader('Content-Type', contentType);
  try {
    await pipeline(Readable.from(counted(), { highWaterMark: 1 }), res);
  } catch (error) {
    // A client that hangs up is no fault of ours; the access line says that it did.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}

/** How many bytes of body the answer has, or has had so far. */
export function bodyBytesOf(res: ServerResponse): number {
  if (res.req.method === 'HEAD') return 0;
  return streamedBytes.get(res) ?? Number(res.getHeader('Content-Length') ?? 0);
}
