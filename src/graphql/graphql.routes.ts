import { HeaderMap, type ApolloServer } from '@apollo/server';
import type { IncomingMessage } from 'node:http';
import { AppError, type ErrorCode } from '../errors.ts';
import { readJson, type BodyOptions } from '../http/body.ts';
import type { RequestContext } from '../http/context.ts';
import { constantHeaders, send, type FlatHeaders } from '../http/respond.ts';
import type { Api, Handler, Route } from '../http/route.ts';
import { createGraphQLContext, type GraphQLContext } from './context.ts';
import { graphqlErrorFormat } from './error-format.ts';
import type { HotPath } from './hot-path.ts';
import { negotiateMediaType, prefersHtml, type MediaType } from './media-type.ts';

const graphqlApi: Api = { name: 'graphql', errorFormat: graphqlErrorFormat };

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

/** Headers of Apollo's that are written in other places. */
const OWN_HEADERS = new Set(['cache-control', 'content-length', 'content-type']);

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

/** One request for Apollo, after what has to be known before anything runs. */
interface ApolloRequest {
  /** Media type of the response. */
  readonly mediaType: MediaType | 'text/html';
  readonly body?: unknown;
  readonly graphqlContext: GraphQLContext;
}

/**
 * The GraphQL API over HTTP: what has to be known before an operation runs (media types, the body), then the operation,
 * by the hot path or by Apollo. Accept is looked at first: Apollo would refuse it only after a mutation had run.
 */
export function graphqlRoutes({ apollo, hotPath, bodyOptions }: GraphQLRoutesOptions): readonly Route[] {
  const handleGet: Handler = async (context) => {
    const { accept } = context.req.headers;
    const mediaType = prefersHtml(accept) ? 'text/html' : assertMediaType(accept);
    await respondByApollo(context, { mediaType, graphqlContext: createGraphQLContext(context) });
  };

  const handlePost: Handler = async (context) => {
    const mediaType = assertMediaType(context.req.headers.accept);
    assertJson(context.req.headers['content-type']);
    const body = await readJson(context, bodyOptions);
    assertQueryLength(body, bodyOptions);
    const graphqlContext = createGraphQLContext(context);
    const result = await hotPath(body, graphqlContext);
    if (result === undefined) await respondByApollo(context, { mediaType, body, graphqlContext });
    else send(context, contentTypeOf(mediaType), result, { status: 200 });
  };

  async function respondByApollo(context: RequestContext, request: ApolloRequest): Promise<void> {
    const { mediaType, graphqlContext } = request;
    const {
      status = 200,
      headers,
      body,
    } = await apollo.executeHTTPGraphQLRequest({
      httpGraphQLRequest: {
        // HEAD is executed like GET; Node leaves the body out.
        method: context.req.method === 'POST' ? 'POST' : 'GET',
        headers: toHeaderMap(context.req).set('accept', mediaType),
        search: context.search,
        body: request.body,
      },
      context: () => Promise.resolve(graphqlContext),
    });
    if (body.kind !== 'complete') throw new Error('incremental delivery is not part of the schema');
    const text = status >= 400 ? identifyErrors(body.string, context) : body.string;
    const cacheControl = headers.get('cache-control');
    const constant = constantHeaders({
      ...(cacheControl !== undefined && { 'Cache-Control': cacheControl }),
      ...(mediaType === 'text/html' && { 'Content-Security-Policy': LANDING_PAGE_POLICY }),
    });
    send(context, contentTypeOf(mediaType), text, { status, constant, headers: toFlatHeaders(headers) });
  }

  return [{ path: '/graphql', api: graphqlApi, handlers: { GET: handleGet, POST: handlePost } }];
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
function assertJson(contentType: string | undefined): void {
  if (isJson(contentType)) return;
  throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the operation with Content-Type: application/json.');
}

function assertQueryLength(body: unknown, { queryLimit, tooLarge }: OperationBodyOptions): void {
  const query = typeof body === 'object' && body && 'query' in body ? body.query : undefined;
  if (typeof query === 'string' && query.length > queryLimit) throw tooLarge();
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

function toFlatHeaders(headers: HeaderMap): FlatHeaders {
  return [...headers].filter(([name]) => !OWN_HEADERS.has(name)).flat();
}

/** Errors that Apollo finds before there is an operation have not been through our plugins. */
function identifyErrors(body: string, context: RequestContext): string {
  const { errors, ...rest } = JSON.parse(body) as { errors: { extensions: { code: ErrorCode } }[] };
  for (const { extensions } of errors) context.noteError(extensions.code);
  const requestId = context.id;
  const identified = errors.map((error) => ({ ...error, extensions: { ...error.extensions, requestId } }));
  return `${JSON.stringify({ errors: identified, ...rest })}\n`;
}
