import { HeaderMap, type ApolloServer } from '@apollo/server';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError, type ErrorCode } from '../errors.ts';
import { readJson, type BodyOptions } from '../http/body.ts';
import { allowOnly, type HotRoute, type Routes } from '../http/routes.ts';
import { requestIdOf } from '../http/request-id.ts';
import { noteError, notesOf } from '../http/response.ts';
import { send } from '../http/send.ts';
import type { GraphQLContext } from './context.ts';
import type { HotPath } from './hot-path.ts';
import { negotiateMediaType, prefersHtml, type MediaType } from './media-type.ts';

const GRAPHQL_PATH = '/graphql';

/** Apollo's landing page loads Sandbox from Apollo's servers; it gets no more than that needs. */
const LANDING_PAGE_POLICY = [
  "default-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "script-src 'self' 'unsafe-inline' https://embeddable-sandbox.cdn.apollographql.com https://apollo-server-landing-page.cdn.apollographql.com",
  "style-src 'self' 'unsafe-inline' https://embeddable-sandbox.cdn.apollographql.com https://apollo-server-landing-page.cdn.apollographql.com https://fonts.googleapis.com",
  'font-src https://fonts.gstatic.com',
  "img-src 'self' data: https://apollo-server-landing-page.cdn.apollographql.com",
  'manifest-src https://apollo-server-landing-page.cdn.apollographql.com',
  "connect-src 'self'",
  'frame-src https://sandbox.embed.apollographql.com',
].join('; ');

/** A text may also stand in the document itself, as a literal without many escapes. */
export function queryLimitFor(maxMessageBytes: number): number {
  return maxMessageBytes + 8192;
}

export interface OperationBodyOptions extends BodyOptions {
  /** Of the document, in UTF-16 units; texts that go as variables do not count. */
  readonly queryLimit: number;
}

export interface GraphQLRoutesOptions {
  readonly apollo: ApolloServer<GraphQLContext>;
  readonly hotPath: HotPath;
  readonly bodyOptions: OperationBodyOptions;
}

export interface GraphQLRoutes {
  readonly routes: Routes;
  /** The plain form of POST. */
  readonly hotRoutes: readonly HotRoute[];
}

/** One request for Apollo, after what has to be known before anything runs. */
interface ApolloRequest {
  /** Of the answer. */
  readonly mediaType: MediaType | 'text/html';
  readonly body?: unknown;
  readonly context: GraphQLContext;
}

/**
 * The GraphQL door over HTTP: what has to be known before an operation runs (media types, the body), then the operation
 * by the hot path or by Apollo. Accept is looked at first: Apollo would refuse it only after a mutation had run.
 */
export function createGraphQLRoutes({ apollo, hotPath, bodyOptions }: GraphQLRoutesOptions): GraphQLRoutes {
  async function answerGet(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const wantsPage = prefersHtml(req.headers.accept);
    const mediaType = wantsPage ? 'text/html' : assertMediaType(req.headers.accept);
    if (wantsPage) res.setHeader('Content-Security-Policy', LANDING_PAGE_POLICY);
    await answerByApollo(req, res, { mediaType, context: createContext(res) });
  }

  async function answerPost(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const mediaType = assertMediaType(req.headers.accept);
    const body = await readOperation(req, res, bodyOptions);
    const context = createContext(res);
    const answer = await hotPath(body, context);
    if (answer === undefined) await answerByApollo(req, res, { mediaType, body, context });
    else send(res, 200, contentTypeOf(mediaType), answer);
  }

  async function answerByApollo(req: IncomingMessage, res: ServerResponse, request: ApolloRequest): Promise<void> {
    const { mediaType, context } = request;
    const { status, headers, body } = await apollo.executeHTTPGraphQLRequest({
      httpGraphQLRequest: {
        // HEAD is answered like GET; Node leaves the body out.
        method: req.method === 'POST' ? 'POST' : 'GET',
        headers: toHeaderMap(req).set('accept', mediaType),
        search: searchOf(req.url ?? ''),
        body: request.body,
      },
      context: () => Promise.resolve(context),
    });
    if (body.kind !== 'complete') throw new Error('incremental delivery is not part of the schema');
    for (const [name, value] of headers) res.setHeader(name, value);
    const text = status !== undefined && status >= 400 ? identifyErrors(body.string, context) : body.string;
    send(res, status ?? 200, contentTypeOf(mediaType), text);
  }

  return {
    routes(router) {
      router.route(GRAPHQL_PATH).get(answerGet).post(answerPost).all(allowOnly('GET', 'POST'));
    },
    hotRoutes: [{ method: 'POST', template: GRAPHQL_PATH, matches: (url) => url === GRAPHQL_PATH, handle: answerPost }],
  };
}

function createContext(res: ServerResponse): GraphQLContext {
  return { requestId: requestIdOf(res), notes: notesOf(res), bytesRead: 0 };
}

/** @throws AppError NOT_ACCEPTABLE when the client takes no media type of GraphQL. */
function assertMediaType(accept: string | undefined): MediaType {
  const mediaType = negotiateMediaType(accept);
  if (!mediaType) throw new AppError('NOT_ACCEPTABLE');
  return mediaType;
}

function contentTypeOf(mediaType: string): string {
  return `${mediaType}; charset=utf-8`;
}

/** @throws AppError UNSUPPORTED_MEDIA_TYPE unless the body says that it is JSON: a form could come from any site. */
async function readOperation(
  req: IncomingMessage,
  res: ServerResponse,
  bodyOptions: OperationBodyOptions,
): Promise<unknown> {
  if (!isJson(req.headers['content-type'])) {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the operation with Content-Type: application/json.');
  }
  const body = await readJson(req, res, bodyOptions);
  const query = typeof body === 'object' && body && 'query' in body ? body.query : undefined;
  if (typeof query === 'string' && query.length > bodyOptions.queryLimit) throw bodyOptions.tooLarge();
  return body;
}

function isJson(contentType = ''): boolean {
  if (contentType === 'application/json') return true;
  return contentType.split(';', 1)[0]?.trim().toLowerCase() === 'application/json';
}

function toHeaderMap(req: IncomingMessage): HeaderMap {
  const headers = new HeaderMap();
  for (const [name, value] of Object.entries(req.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return headers;
}

/** Whether a request is at the GraphQL door, whatever became of it. */
export function isGraphQLUrl(url = ''): boolean {
  // A target may come in absolute form (RFC 9112, 3.2.2).
  return /^(?:https?:\/\/[^/?#]*)?\/graphql(?:[?#]|$)/i.test(url);
}

function searchOf(url: string): string {
  const start = url.indexOf('?');
  return start === -1 ? '' : url.slice(start);
}

/** What Apollo refuses before there is an operation has not been through our plugins. */
function identifyErrors(body: string, { requestId, notes }: GraphQLContext): string {
  const { errors, ...rest } = JSON.parse(body) as { errors: { extensions: { code: ErrorCode } }[] };
  for (const { extensions } of errors) noteError(notes, extensions.code);
  const identified = errors.map((error) => ({ ...error, extensions: { ...error.extensions, requestId } }));
  return `${JSON.stringify({ errors: identified, ...rest })}\n`;
}
