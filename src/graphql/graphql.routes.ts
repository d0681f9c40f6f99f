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

/**
 * The GraphQL door over HTTP: what has to be known before an operation runs (media types, the body), then Apollo.
 * Accept is looked at first: Apollo would refuse it only after a mutation had run.
 */
export function graphqlRoutes(apollo: ApolloServer<GraphQLContext>, bodyOptions: BodyOptions): Router {
  async function runOperation(req: Request, res: Response): Promise<void> {
    const wantsPage = req.method !== 'POST' && prefersHtml(req.headers.accept);
    if (!wantsPage && !negotiateMediaType(req.headers.accept)) throw new AppError('NOT_ACCEPTABLE');
    const { status, headers, body } = await apollo.executeHTTPGraphQLRequest({
      httpGraphQLRequest: {
        // HEAD is answered like GET; Node leaves the body out.
        method: req.method === 'HEAD' ? 'GET' : req.method,
        headers: toHeaderMap(req),
        search: searchOf(req.url),
        body: req.method === 'POST' ? await readOperation(req, res, bodyOptions) : undefined,
      },
      context: () => Promise.resolve({ requestId: requestIdOf(res), bytesRead: 0 }),
    });
    if (body.kind !== 'complete') throw new Error('incremental delivery is not part of the schema');
    if (wantsPage) res.setHeader('Content-Security-Policy', LANDING_PAGE_POLICY);
    for (const [name, value] of headers) res.setHeader(name, value);
    send(res, status ?? 200, withCharset(headers.get('content-type')), body.string);
  }

  const router = Router({ caseSensitive: true, strict: true });
  router.route(GRAPHQL_PATH).get(runOperation).post(runOperation).all(allowOnly('GET', 'POST'));
  return router;
}

/** @throws AppError UNSUPPORTED_MEDIA_TYPE unless the body says that it is JSON: a form could come from any site. */
async function readOperation(req: Request, res: Response, bodyOptions: BodyOptions): Promise<unknown> {
  const mediaType = req.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (mediaType !== 'application/json') {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the operation with Content-Type: application/json.');
  }
  return readJson(req, res, bodyOptions);
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

function withCharset(contentType = 'application/json'): string {
  return contentType.includes('charset') ? contentType : `${contentType}; charset=utf-8`;
}
