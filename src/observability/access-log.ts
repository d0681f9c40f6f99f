import type { RequestHandler } from 'express';
import { requestIdOf } from '../http/request-id.ts';
import { bodyBytesOf } from '../http/send.ts';
import type { Logger } from './logger.ts';

/** Health checks come every few seconds and say nothing; they are there at debug. */
const QUIET_ROUTES = new Set(['/health', '/health/ready']);

/**
 * One line per request, when its answer is out or its client is gone: the route's template but never the path, the
 * query or a body, because a sha in a log is evidence that a text exists, and a GraphQL query may hold the text.
 */
export function accessLog(logger: Logger): RequestHandler {
  return function accessLog(req, res, next) {
    const start = performance.now();
    res.on('close', () => {
      const route = routeOf(req.route);
      logger[QUIET_ROUTES.has(route) ? 'debug' : 'info'](
        {
          requestId: requestIdOf(res),
          method: req.method,
          route,
          status: res.statusCode,
          durationMs: Math.round((performance.now() - start) * 1000) / 1000,
          bytes: bodyBytesOf(res),
          ...(!res.writableFinished && { aborted: true }),
        },
        'request',
      );
    });
    next();
  };
}

/** Express sets `req.route` when a route matched; its path is the template that the route was made with. */
function routeOf(route: unknown): string {
  const path = route && typeof route === 'object' && 'path' in route ? route.path : undefined;
  return typeof path === 'string' ? path : 'unmatched';
}
