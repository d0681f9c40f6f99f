import cors from 'cors';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import type { IncomingMessage } from 'node:http';
import { AppError } from '../errors.ts';
import { observeRequests, type ObservationOptions } from '../observability/observe-requests.ts';
import type { Logger } from '../observability/logger.ts';
import { createAnswerError, type AnswerError, type ErrorFormat } from './error-handler.ts';
import { requestId } from './request-id.ts';
import type { AppResponse } from './response.ts';
import type { HotRoute, Routes } from './routes.ts';
import { securityHeaders } from './security-headers.ts';

/** Does its part for a request, and lets it go on, or throws what the request is to be answered with. */
export type Policy = (req: IncomingMessage, res: AppResponse) => void;

export interface PolicyOptions extends ObservationOptions {
  readonly logger: Logger;
  readonly corsOrigins: readonly string[];
  readonly shedLoad: Policy;
  readonly hotRoutes: readonly HotRoute[];
  /** Of all doors and mechanisms, in the order in which a request meets them. */
  readonly routes: readonly Routes[];
  readonly errorFormatFor: (req: IncomingMessage) => ErrorFormat;
}

/** What every request of both doors goes through, in this order. */
export function createPolicies(options: PolicyOptions): (req: IncomingMessage, res: AppResponse) => void {
  const policies: readonly Policy[] = [
    // First, because every later line and error carries it.
    requestId,
    // Before anything that can answer, so that every answer is in the log and in the metrics.
    observeRequests(options),
    securityHeaders,
    // Before the routes, so that a page may read errors too; OPTIONS goes on to the route, which knows its methods.
    corsFor(options.corsOrigins),
    // Before all that costs something; after CORS, so that a page may read this answer, too.
    options.shedLoad,
  ];
  const answerError = createAnswerError(options.logger, options.errorFormatFor);
  const app = createExpress(options.routes, answerError);

  return function handleRequest(req, res) {
    try {
      for (const policy of policies) policy(req, res);
    } catch (error) {
      answerError(error, req, res);
      return;
    }
    const { method, url = '' } = req;
    const hotRoute = options.hotRoutes.find((route) => route.method === method && route.matches(url));
    if (!hotRoute) {
      app(req, res);
      return;
    }
    res.route = hotRoute.template;
    hotRoute.handle(req, res).catch((error: unknown) => {
      answerError(error, req, res);
    });
  };
}

function createExpress(routes: readonly Routes[], answerError: AnswerError): Express {
  const app = express();
  // Not Express's own: it would name itself, hash every answer for an ETag, and print errors to stderr.
  app.disable('x-powered-by').disable('etag').set('env', 'test');
  app.enable('case sensitive routing').enable('strict routing');
  for (const addRoutes of routes) addRoutes(app);
  app.use(() => {
    throw new AppError('NOT_FOUND');
  });
  // Express knows an error handler by its four parameters.
  app.use((thrown: unknown, req: Request, res: Response, _next: NextFunction) => {
    answerError(thrown, req, res);
  });
  return app;
}

function corsFor(origins: readonly string[]): Policy {
  const answerOrigin = cors({
    origin: [...origins],
    methods: ['GET', 'HEAD', 'POST'],
    exposedHeaders: ['ETag', 'Link', 'Location', 'Retry-After', 'X-Request-Id'],
    maxAge: 86_400,
    preflightContinue: true,
  });
  return function corsFor(req, res) {
    // Without an Origin there is nothing to allow, but a cache has to know that the answer depends on it.
    if (req.headers.origin === undefined) res.setHeader('Vary', 'Origin');
    else answerOrigin(req, res, () => undefined);
  };
}
