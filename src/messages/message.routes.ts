import { AppError } from '../errors.ts';
import { restApi } from '../http/api.ts';
import { readJson, type BodyOptions } from '../http/body.ts';
import type { RequestContext } from '../http/context.ts';
import { LongLivedLimit } from '../http/long-lived.ts';
import { constantHeaders, JSON_TYPE, sendEmpty, sendJson, sendStream } from '../http/respond.ts';
import type { Handler, Route } from '../http/route.ts';
import { isSha, parseSha, type Message, type Sha } from './message.ts';
import type { MessageService } from './message.service.ts';

/** Whole lists that one process sends at a time: each reads the entire store, as fast as its client can take it. */
const MAX_LISTS = 16;
const TOO_MANY_LISTS =
  'Too many whole lists are being read; try again in a moment, or read pages with limit and after.';

/** A message never changes, so every cache may store it (RFC 8246). */
const IMMUTABLE = constantHeaders({ 'Cache-Control': 'public, max-age=31536000, immutable' });

/** The REST API: the legacy service's endpoints, as thin translations to and from the service. */
export function messageRoutes(service: MessageService, bodyOptions: BodyOptions): readonly Route[] {
  const addMessage: Handler = async (context) => {
    const text = parseMessageText(await readJson(context, bodyOptions));
    const { sha } = await service.add(text);
    sendJson(context, { digest: sha }, { status: 201, headers: ['Location', `/messages/${sha}`, 'ETag', etagOf(sha)] });
  };

  const findMessage: Handler = (context, sha) => {
    if (!isSha(sha)) throw messageNotFound();
    const ifNoneMatch = context.req.headers['if-none-match'];
    // A client that names the tag has had the message, and it cannot have changed since: no need to look.
    if (ifNoneMatch !== undefined && hasETag(ifNoneMatch, sha)) {
      sendNotModified(context, sha);
      return;
    }
    const found = service.findBySha(sha);
    if (found instanceof Promise) return found.then((message) => sendFound(context, message));
    sendFound(context, found);
  };

  const listDigests = createListDigests(service);
  return [
    { path: '/messages', api: restApi, handlers: { GET: listDigests, POST: addMessage }, isLongLived: isWholeList },
    { path: '/all-messages', api: restApi, handlers: { GET: listDigests }, isLongLived: isWholeList },
    { path: '/messages/:sha', api: restApi, handlers: { GET: findMessage } },
    // The legacy service's README said /message, its code /messages.
    { path: '/message/:sha', api: restApi, handlers: { GET: findMessage } },
  ];
}

function sendFound(context: RequestContext, message: Message | undefined): void {
  if (!message) throw messageNotFound();
  const { sha, text } = message;
  if (context.req.headers['if-none-match']?.trim() === '*') sendNotModified(context, sha);
  else sendJson(context, { message: text }, { status: 200, constant: IMMUTABLE, headers: ['ETag', etagOf(sha)] });
}

function createListDigests(service: MessageService): Handler {
  const lists = new LongLivedLimit(MAX_LISTS, TOO_MANY_LISTS);

  return async function listDigests(context) {
    if (context.isLongLived) {
      await lists.run(() => streamDigests(service.digests(), context));
    } else if (hasPageArguments(context)) {
      await sendPage(service, context);
    } else {
      // HEAD: the headers do not depend on the list, so it is not read.
      sendEmpty(context, { status: 200, headers: ['Content-Type', JSON_TYPE] });
    }
  };
}

function hasPageArguments({ search }: RequestContext): boolean {
  const query = new URLSearchParams(search);
  return query.has('limit') || query.has('after');
}

function isWholeList(context: RequestContext): boolean {
  return context.req.method === 'GET' && !hasPageArguments(context);
}

async function sendPage(service: MessageService, context: RequestContext): Promise<void> {
  const { items, hasNextPage } = await service.summaryPage(parseListQuery(context.search));
  const digestList = items.map(({ sha }) => sha);
  const last = digestList.at(-1);
  const next = `<${context.routePath}?limit=${items.length}&after=${last}>; rel="next"`;
  sendJson(context, { digestList }, { status: 200, headers: hasNextPage && last ? ['Link', next] : [] });
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
function parseListQuery(search: string): { first: number | undefined; after: Sha | undefined } {
  const query = new URLSearchParams(search);
  const [limits, afters] = [query.getAll('limit'), query.getAll('after')];
  if (limits.length > 1 || afters.length > 1) throw new AppError('BAD_USER_INPUT', 'Give limit and after once each.');
  const [[limit], [after]] = [limits, afters];
  return {
    first: limit === undefined ? undefined : parseDecimal(limit),
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

function sendNotModified(context: RequestContext, sha: Sha): void {
  sendEmpty(context, { status: 304, constant: IMMUTABLE, headers: ['ETag', etagOf(sha)] });
}

/** Streams the whole list as one JSON object, a page at a time, no faster than the client reads. */
async function streamDigests(pages: AsyncIterable<readonly Sha[]>, context: RequestContext): Promise<void> {
  const iterator = pages[Symbol.asyncIterator]();
  // Before anything is sent, so that a store that does not answer can still be told by a status.
  let page = await iterator.next();
  async function* chunks(): AsyncGenerator<string> {
    let opening = '{"digestList":[';
    try {
      for (; !page.done; page = await iterator.next()) {
        yield `${opening}"${page.value.join('","')}"`;
        opening = ',';
      }
      yield opening === ',' ? ']}' : `${opening}]}`;
    } finally {
      await iterator.return?.();
    }
  }
  await sendStream(context, JSON_TYPE, chunks());
}
