import type { ServerResponse } from 'node:http';
import type { RequestContext } from './context.ts';

export const JSON_TYPE = 'application/json; charset=utf-8';

/** How long a stream waits for a client that has stopped reading, in milliseconds. Then the connection is cut. */
const STALLED_READER_MS = 30_000;

/** How long the service goes on reading a body that it has refused, in milliseconds. */
const LINGER_MS = 1000;

/** Headers as `writeHead` takes them: name, value, name, value, … */
export type FlatHeaders = readonly string[];

/**
 * On every response, errors included. This is an API: its responses are data, never pages, frames or scripts, and no
 * cache may store one unless its route says so (only the absence of a message can change, so a 404 must not be cached).
 *
 * There is no Strict-Transport-Security: browsers apply it to a host name on every port, so on localhost, with the
 * development certificate trusted, it would break every other http://localhost server of the developer.
 */
const defaultHeaders = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

/** The constant headers of one kind of response. To be made once, not for each response. */
export function constantHeaders(changes: Partial<typeof defaultHeaders> = {}): FlatHeaders {
  return Object.entries({ ...defaultHeaders, ...changes }).flat();
}

const DEFAULT_HEADERS = constantHeaders();

export interface ResponseOptions {
  readonly status: number;
  /** Made by `constantHeaders`. Default: the headers that every response has. */
  readonly constant?: FlatHeaders | undefined;
  /** Headers that only this response has. Default none. */
  readonly headers?: FlatHeaders;
}

const NONE: FlatHeaders = [];

/**
 * The only place where the head of a response is written. `setHeader` would store each header in an object first; one
 * `writeHead` with a flat array does not.
 */
function writeHead(context: RequestContext, { status, constant = DEFAULT_HEADERS, headers = NONE }: ResponseOptions) {
  const { res, traffic, connection } = context;
  // Node then sends `Connection: close` and closes the connection.
  if (traffic.isDraining) res.shouldKeepAlive = false;
  const varying = ['X-Request-Id', context.id, 'Vary', context.vary];
  res.writeHead(status, [...constant, ...varying, ...context.corsHeaders, ...headers]);
  traffic.unfinished++;
  connection.responses++;
}

/** Responds with a complete body. HEAD gets the same headers and no body. */
export function send(context: RequestContext, contentType: string, body: string, options: ResponseOptions): void {
  const length = Buffer.byteLength(body);
  if (context.req.method !== 'HEAD') context.sentBytes = length;
  const { status, constant, headers = NONE } = options;
  const all = [...headers, 'Content-Type', contentType, 'Content-Length', `${length}`];
  enqueue(context, { status, constant, headers: all, ...encodeBody(body, length) });
}

/** Bodies up to this many bytes are copied where that makes writing them faster. */
const SMALL_BODY_BYTES = 4096;

/**
 * Node joins head and body before it writes them. Where both are Latin-1, nothing has to be widened and encoded again;
 * so a small body that is not ASCII is turned into the string whose Latin-1 form is its UTF-8 (5 % of a GET).
 */
function encodeBody(body: string, length: number): Pick<CompleteResponse, 'body' | 'encoding'> {
  if (length === body.length) return { body, encoding: 'latin1' };
  if (length <= SMALL_BODY_BYTES) return { body: Buffer.from(body).toString('latin1'), encoding: 'latin1' };
  return { body, encoding: 'utf8' };
}

export function sendJson(context: RequestContext, value: unknown, options: ResponseOptions): void {
  send(context, JSON_TYPE, JSON.stringify(value), options);
}

/** Responds without a body, and without saying that there is one of length 0 (204, 304). */
export function sendEmpty(context: RequestContext, options: ResponseOptions): void {
  enqueue(context, { ...options, body: '', encoding: 'latin1' });
}

/** A response that is written at the end of the turn. */
export interface CompleteResponse extends ResponseOptions {
  readonly body: string;
  readonly encoding: 'latin1' | 'utf8';
}

/**
 * Longer bodies, in UTF-16 units, are written at once. Node pauses a connection while much of a response waits to be
 * sent, and fails with HPE_PAUSED if the next request arrives then.
 */
const MAX_BATCHED_LENGTH = 8192;

function enqueue(context: RequestContext, response: CompleteResponse): void {
  context.response = response;
  if (response.body.length > MAX_BATCHED_LENGTH) writeResponse(context);
  else context.batch.add(context);
}

/** Writes the response that `send` or `sendEmpty` made. */
export function writeResponse(context: RequestContext): void {
  if (!context.response) return;
  writeHead(context, context.response);
  context.res.end(context.response.body, context.response.encoding);
}

/**
 * Responds while the client is still sending a body that nobody wants, and closes the connection. The rest of the body
 * is read for a moment: closing a connection with unread input resets it, and the client might never see the response.
 */
export function sendEarly(context: RequestContext, contentType: string, body: string, options: ResponseOptions): void {
  const { req, res } = context;
  const length = Buffer.byteLength(body);
  const { headers = NONE } = options;
  const own = ['Content-Type', contentType, 'Content-Length', `${length}`, 'Connection', 'close'];
  writeHead(context, { ...options, headers: [...headers, ...own] });
  context.sentBytes = length;
  res.write(body);
  const timer = setTimeout(() => res.end(), LINGER_MS);
  req.once('close', () => {
    clearTimeout(timer);
    res.end();
  });
  req.resume();
}

/**
 * Responds with a body of ASCII as it is made, no faster than the client reads it. Ends early when the client hangs up,
 * or has stopped reading for 30 s.
 *
 * @throws what `chunks` throws. The head is out then, so that only a cut connection can tell the client.
 */
export async function sendStream(
  context: RequestContext,
  contentType: string,
  chunks: AsyncIterable<string>,
): Promise<void> {
  const { res } = context;
  writeHead(context, { status: 200, headers: ['Content-Type', contentType] });
  for await (const chunk of chunks) {
    if (res.destroyed) return;
    context.sentBytes += chunk.length;
    if (!res.write(chunk)) await drained(res);
  }
  res.end();
}

/** Resolves when more can be written or when the connection is gone; cuts it when its client has stopped reading. */
async function drained(res: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const settle = (): void => resolve(undefined);
  res.once('drain', settle).once('close', settle);
  const timer = setTimeout(() => res.destroy(), STALLED_READER_MS);
  await promise;
  clearTimeout(timer);
  res.off('drain', settle).off('close', settle);
}
