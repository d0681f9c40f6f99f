import { HeaderMap, type ApolloServer } from '@apollo/server';
import { Router, type Request, type Response } from 'express';
import { AppError } from '../errors.ts';
import { readJson, type BodyOptions } from '../http/body.ts';
import { allowOnly } from '../http/methods.ts';
import { requestIdOf } from '../http/request-id.ts';
import { send } from '../http/send.ts';
import type { GraphQLContext } from './context.ts';
import { negotiateMediaType, prefersHtml } from './media-type.ts';

export const GRAPHQL_PATH = '/graphql';

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

/**
 * The GraphQL door over HTTP: what has to be known before an operation runs (media types, the body), then Apollo.
 * Accept is looked at first: Apollo would refuse it only after a mutation had run.
 */
export function graphqlRoutes(apollo: ApolloServer<GraphQLContext>, bodyOptions: OperationBodyOptions): Router {
  async function runOperation(req: Request, res: Response): Promise<void> {
    const requestId = requestIdOf(res);
    const wantsPage = req.method !== 'POST' && prefersHtml(req.headers.accept);
    const mediaType = wantsPage ? 'text/html' : negotiateMediaType(req.headers.accept);
    if (!mediaType) throw new AppError('NOT_ACCEPTABLE');
    const { status, headers, body } = await apollo.executeHTTPGraphQLRequest({
      httpGraphQLRequest: {
        // HEAD is answered like GET; Node leaves the body out.
        method: req.method === 'HEAD' ? 'GET' : req.method,
        headers: toHeaderMap(req).set('accept', mediaType),
        search: searchOf(req.url),
        body: req.method === 'POST' ? await readOperation(req, res, bodyOptions) : undefined,
      },
      context: () => Promise.resolve({ requestId, bytesRead: 0 }),
    });
    if (body.kind !== 'complete') throw new Error('incremental delivery is not part of the schema');
    if (wantsPage) res.setHeader('Content-Security-Policy', LANDING_PAGE_POLICY);
    for (const [name, value] of headers) res.setHeader(name, value);
    const text = status !== undefined && status >= 400 ? withRequestId(body.string, requestId) : body.string;
    send(res, status ?? 200, `${mediaType}; charset=utf-8`, text);
  }

  const router = Router({ caseSensitive: true, strict: true });
  router.route(GRAPHQL_PATH).get(runOperation).post(runOperation).all(allowOnly('GET', 'POST'));
  return router;
}

/** @throws AppError UNSUPPORTED_MEDIA_TYPE unless the body says that it is JSON: a form could come from any site. */
async function readOperation(req: Request, res: Response, bodyOptions: OperationBodyOptions): Promise<unknown> {
  const mediaType = req.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (mediaType !== 'application/json') {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the operation with Content-Type: application/json.');
  }
  const body = await readJson(req, res, bodyOptions);
  const query = typeof body === 'object' && body && 'query' in body ? body.query : undefined;
  if (typeof query === 'string' && query.length > bodyOptions.queryLimit) throw bodyOptions.tooLarge();
  return body;
}

function toHeaderMap(req: Request): HeaderMap {
  const headers = new HeaderMap();
  for (const [name, value] of Object.entries(req.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return headers;
}

function searchOf(url: string): string {
  const start = url.indexOf('?');
  return start === -1 ? '' : url.slice(start);
}

/** What Apollo refuses before there is an operation has not been through our plugins. */
function withRequestId(body: string, requestId: string): string {
  const { errors, ...rest } = JSON.parse(body) as { errors: { extensions: object }[] };
  const identified = errors.map((error) => ({ ...error, extensions: { ...error.extensions, requestId } }));
  return `${JSON.stringify({ errors: identified, ...rest })}\n`;
}
