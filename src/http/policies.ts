import cors from 'cors';
import express, { type Express, type Request, type RequestHandler } from 'express';
import { AppError } from '../errors.ts';
import { accessLog } from '../observability/access-log.ts';
import type { Logger } from '../observability/logger.ts';
import { errorHandler, type ErrorFormat } from './error-handler.ts';
import { requestId } from './request-id.ts';
import type { Routes } from './routes.ts';
import { securityHeaders } from './security-headers.ts';

export interface PolicyOptions {
  readonly logger: Logger;
  readonly corsOrigins: readonly string[];
  readonly health: Routes;
  readonly greeting: Routes;
  readonly messages: Routes;
  readonly graphql: Routes;
  readonly errorFormatFor: (req: Request) => ErrorFormat;
}

/** The one ordered list that every request of both doors goes through. */
export function createPolicies(options: PolicyOptions): Express {
  const app = express();
  // Not Express's own: it would name itself, hash every answer for an ETag, and print errors to stderr.
  app.disable('x-powered-by').disable('etag').set('env', 'test');
  app.enable('case sensitive routing').enable('strict routing');

  // First, because every later line and error carries it.
  app.use(requestId);
  // Before anything that can answer, so that there is a line for every answer.
  app.use(accessLog(options.logger));
  app.use(securityHeaders);
  // Before the routes, so that a page may read errors too; OPTIONS goes on to the route, which knows its methods.
  app.use(corsFor(options.corsOrigins));
  // Before whatever may one day refuse a request for load, rate or lack of a token.
  options.health(app);
  options.greeting(app);
  options.messages(app);
  options.graphql(app);
  app.use(() => {
    throw new AppError('NOT_FOUND');
  });
  app.use(errorHandler(options.logger, options.errorFormatFor));
  return app;
}

function corsFor(origins: readonly string[]): RequestHandler {
  const answerOrigin = cors({
    origin: [...origins],
    methods: ['GET', 'HEAD', 'POST'],
    exposedHeaders: ['ETag', 'Link', 'Location', 'X-Request-Id'],
    maxAge: 86_400,
    preflightContinue: true,
  });
  return function corsFor(req, res, next) {
    if (req.headers.origin !== undefined) {
      answerOrigin(req, res, next);
      return;
    }
    // Without an Origin there is nothing to allow, but a cache has to know that the answer depends on it.
    res.setHeader('Vary', 'Origin');
    next();
  };
}
