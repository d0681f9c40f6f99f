import type { Request, Response } from 'express';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../errors.ts';
import { readJson, type BodyOptions } from '../http/body.ts';
import { allowOnly, type HotRoute, type Routes } from '../http/routes.ts';
import { JSON_TYPE, sendJson, sendStream } from '../http/send.ts';
import { isSha, parseSha, type Sha } from './message.ts';
import type { MessageService } from './message.service.ts';

const MESSAGE_PATH = '/messages/';

/** Whole lists that one process sends at a time: each reads the entire store, as fast as its client can take it. */
const MAX_STREAMS = 16;
const TOO_MANY_STREAMS =
  'Too many whole lists are being read; try again in a moment, or read pages with limit and after.';

export interface MessageRoutes {
  readonly routes: Routes;
  /** Those for one message, in their plain form. */
  readonly hotRoutes: readonly HotRoute[];
}

/** Whether a route's template is one of the REST door. */
export function isMessageRoute(template: string): boolean {
  return /^\/(?:all-)?messages?(?:\/|$)/.test(template);
}

/** The REST door: the legacy service's endpoints, as thin translations to and from the service. */
export function createMessageRoutes(service: MessageService, bodyOptions: BodyOptions): MessageRoutes {
  async function addMessage(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const text = parseMessageText(await readJson(req, res, bodyOptions));
    const { sha } = await service.add(text);
    res.setHeader('Location', `${MESSAGE_PATH}${sha}`);
    res.setHeader('ETag', etagOf(sha));
    sendJson(res, 201, { digest: sha });
  }

  async function findMessage(sha: Sha, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const ifNoneMatch = req.headers['if-none-match'];
    // Whoever names the tag has had the message, and it cannot have changed since: no need to look.
    if (ifNoneMatch !== undefined && hasETag(ifNoneMatch, sha)) {
      sendNotModified(res, sha);
      return;
    }
    const message = await service.findBySha(sha);
    if (!message) throw messageNotFound();
    if (ifNoneMatch?.trim() === '*') {
      sendNotModified(res, sha);
      return;
    }
    setCacheHeaders(res, sha);
    sendJson(res, 200, { message: message.text });
  }

  async function findByParameter(req: Request, res: Response): Promise<void> {
    const { sha } = req.params;
    if (!isSha(sha)) throw messageNotFound();
    await findMessage(sha, req, res);
  }

  return {
    routes(router) {
      const listDigests = createListDigests(service);
      router.route('/messages').get(listDigests).post(addMessage).all(allowOnly('GET', 'POST'));
      router.route('/all-messages').get(listDigests).all(allowOnly('GET'));
      router.route('/messages/:sha').get(findByParameter).all(allowOnly('GET'));
      // The legacy service's README said /message, its code /messages.
      router.route('/message/:sha').get(findByParameter).all(allowOnly('GET'));
    },
    hotRoutes: [
      {
        method: 'GET',
        template: '/messages/:sha',
        matches: (url) => url.startsWith(MESSAGE_PATH) && isSha(url.slice(MESSAGE_PATH.length)),
        handle: (req, res) => findMessage(String(req.url).slice(MESSAGE_PATH.length) as Sha, req, res),
      },
      { method: 'POST', template: '/messages', matches: (url) => url === '/messages', handle: addMessage },
    ],
  };
}

function createListDigests(service: MessageService): (req: Request, res: Response) => Promise<void> {
  let streams = 0;

  return async function listDigests(req, res) {
    const { limit, after } = parseListQuery(req);
    if (limit !== undefined || after !== undefined) {
      const { items, hasNextPage } = await service.summaryPage({ first: limit, after });
      const digestList = items.map(({ sha }) => sha);
      const last = digestList.at(-1);
      if (hasNextPage && last) res.setHeader('Link', `<${req.path}?limit=${items.length}&after=${last}>; rel="next"`);
      sendJson(res, 200, { digestList });
      return;
    }
    if (req.method === 'HEAD') {
      res.setHeader('Content-Type', JSON_TYPE);
      res.end();
      return;
    }
    if (streams === MAX_STREAMS) throw new AppError('OVERLOADED', TOO_MANY_STREAMS);
    streams++;
    try {
      await streamDigests(service.digests(), res);
    } finally {
      streams--;
    }
  };
}

function messageNotFound(): AppError {
  return new AppError('NOT_FOUND', 'No message has this sha.');
}

/** @throws AppError BAD_USER_INPUT unless the body is an object whose `message` is a string. */
function parseMessageText(body: unknown): string {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new AppError('BAD_USER_INPUT', 'The body must be a JSON object with a "message".');
  }
  const text = (body as { message?: unknown }).message;
  if (text === undefined || text === null) throw new AppError('BAD_USER_INPUT', 'The "message" is missing.');
  if (typeof text !== 'string') throw new AppError('BAD_USER_INPUT', 'The "message" must be a string.');
  return text;
}

/** @throws AppError BAD_USER_INPUT for a parameter given twice, a limit that is no number, or a malformed sha. */
function parseListQuery(req: Request): { limit: number | undefined; after: Sha | undefined } {
  const { limit, after } = req.query;
  if (Array.isArray(limit) || Array.isArray(after)) {
    throw new AppError('BAD_USER_INPUT', 'Give limit and after once each.');
  }
  return {
    limit: typeof limit === 'string' ? parseDecimal(limit) : undefined,
    after: after === undefined ? undefined : parseSha(after),
  };
}

/** NaN, which no range has, for what is not a plain decimal number. */
function parseDecimal(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : NaN;
}

function etagOf(sha: Sha): string {
  return `"${sha}"`;
}

/** Whether a list of tags has that of this message, by the weak comparison of If-None-Match (RFC 9110, 13.1.2). */
function hasETag(tags: string, sha: Sha): boolean {
  return tags.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etagOf(sha));
}

/** A message never changes, so every cache may keep it (RFC 8246). */
function setCacheHeaders(res: ServerResponse, sha: Sha): void {
  res.setHeader('ETag', etagOf(sha));
  res.setHeader('Cache-Control', 'public, max-age=31536000, immutable');
}

function sendNotModified(res: ServerResponse, sha: Sha): void {
  setCacheHeaders(res, sha);
  res.statusCode = 304;
  res.end();
}

/** Streams the whole list as one JSON object, a page at a time, no faster than the client reads. */
async function streamDigests(pages: AsyncIterable<readonly Sha[]>, res: Response): Promise<void> {
  const iterator = pages[Symbol.asyncIterator]();
  // Before anything is sent, so that a store that does not answer can still be told by a status.
  let page = await iterator.next();
  async function* chunks(): AsyncGenerator<string> {
    let opening = '{"digestList":[';
    for (; !page.done; page = await iterator.next()) {
      yield `${opening}"${page.value.join('","')}"`;
      opening = ',';
    }
    yield opening === ',' ? ']}' : `${opening}]}`;
  }
  await sendStream(res, JSON_TYPE, chunks());
}
