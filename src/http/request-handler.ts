import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import type { IncomingMessage } from 'node:http';
import { AppError } from '../errors.ts';
import { RequestContext } from './context.ts';
import type { RequestListener } from './listener.ts';
import { observeRequest, type RequestObserver } from './observe-requests.ts';
import type { Policy } from './policies.ts';
import type { RespondError } from './respond-error.ts';
import { sendEmpty, writeResponse } from './respond.ts';
import { ResponseBatch } from './response-batch.ts';
import { allowedMethods, createPlainMatcher, type Handler, type Route } from './route.ts';
import type { Traffic } from './traffic.ts';

export interface RequestHandlerOptions {
  readonly routes: readonly Route[];
  readonly policies: readonly Policy[];
  readonly respondError: RespondError;
  readonly traffic: Traffic;
  readonly observers: readonly RequestObserver[];
  /** Undefined where nobody asks for the addresses of clients. */
  readonly clientAddressOf: ((req: IncomingMessage) => string | undefined) | undefined;
}

/** Where Express carries the context from the request to the route that matches. */
type ContextResponse = Response<unknown, { context: RequestContext }>;

/**
 * Makes the function that takes every request to its response: makes its context, finds its route, and runs the policies,
 * then the handler.
 */
export function createRequestHandler(options: RequestHandlerOptions): RequestListener {
  const { routes, policies, respondError, traffic, observers, clientAddressOf } = options;
  const batch = new ResponseBatch((context: RequestContext) => {
    try {
      writeResponse(context);
    } catch (error) {
      respondError(context, error);
    }
  });
  const matchPlain = createPlainMatcher(routes);
  const router = createExpressRouter(routes, serve);

  function serve(context: RequestContext, handle: Handler, parameter = ''): void {
    try {
      for (let index = 0; index < policies.length; index++) {
        const pending = policies[index]?.(context);
        if (!pending) continue;
        finishLater(context, pending, { rest: policies.slice(index + 1), handle, parameter }).catch(fail(context));
        return;
      }
      handle(context, parameter)?.catch(fail(context));
    } catch (error) {
      respondError(context, error);
    }
  }

  function fail(context: RequestContext): (error: unknown) => void {
    return (error) => {
      respondError(context, error);
    };
  }

  return function handleRequest(req, res, connection) {
    // The address is read now, because a closed socket has forgotten it.
    const context = new RequestContext({ req, res, connection, traffic, batch, address: clientAddressOf?.(req) });
    observeRequest(context, observers);
    const match = matchPlain(req.url ?? '');
    if (match) {
      context.enter(match.route);
      serve(context, dispatch, match.parameter);
    } else {
      router(req as Request, Object.assign(res, { locals: { context } }) as unknown as Response);
    }
  };
}

interface Remaining {
  readonly rest: readonly Policy[];
  readonly handle: Handler;
  readonly parameter: string;
}

/** The rest of a request from the first policy on that waits. */
async function finishLater(
  context: RequestContext,
  pending: Promise<void>,
  { rest, handle, parameter }: Remaining,
): Promise<void> {
  await pending;
  for (const policy of rest) await policy(context);
  await handle(context, parameter);
}

/** Calls the route's handler for the method of the request. */
function dispatch(context: RequestContext, parameter: string): void | Promise<void> {
  const { route, req } = context;
  if (!route) throw new AppError('NOT_FOUND');
  const { GET, POST } = route.handlers;
  if (GET && (req.method === 'GET' || req.method === 'HEAD')) return GET(context, parameter);
  if (POST && req.method === 'POST') return POST(context, parameter);
  if (req.method !== 'OPTIONS') throw new AppError('METHOD_NOT_ALLOWED');
  sendEmpty(context, { status: 204, headers: ['Allow', allowedMethods(route)] });
}

/** Finds the route of targets that have to be decoded first, and of those with a query string. */
function createExpressRouter(
  routes: readonly Route[],
  serve: (context: RequestContext, handle: Handler, parameter?: string) => void,
): Express {
  // prettier-ignore
  const app = express();
  // Express would name itself, hash every response for an ETag, and print errors to stderr.
  app.disable('x-powered-by').disable('etag').set('env', 'test');
  app.enable('case sensitive routing').enable('strict routing');
  for (const route of routes) {
    app.all(route.path, (req: Request, res: ContextResponse) => {
      const { context } = res.locals;
      context.enter(route);
      serve(context, dispatch, Object.values(req.params).join(''));
    });
  }
  app.use((_req: Request, res: ContextResponse) => {
    serve(res.locals.context, dispatch);
  });
  // Express recognises an error handler by its four parameters.
  app.use((thrown: unknown, _req: Request, res: ContextResponse, _next: NextFunction) => {
    serve(res.locals.context, () => {
      throw thrown;
    });
  });
  return app;
}
