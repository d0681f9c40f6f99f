import type { IncomingMessage } from 'node:http';
import type { AppResponse } from '../http/response.ts';
import { bodyBytesOf } from '../http/send.ts';
import type { Logger } from './logger.ts';

/** Health checks come every few seconds and say nothing; they are there at debug. */
const QUIET_ROUTES = new Set(['/health', '/health/ready']);

/**
 * One line per request, when its answer is out or its client is gone: the route's template but never the path, the
 * query or a body, because a sha in a log is evidence that a text exists, and a GraphQL query may hold the text.
 */
export function accessLog(logger: Logger): (req: IncomingMessage, res: AppResponse) => void {
  return function accessLog(req, res) {
    const start = performance.now();
    res.on('close', () => {
      const route = res.route ?? expressRouteOf(req);
      const line = {
        requestId: res.requestId,
        method: req.method,
        route,
        status: res.statusCode,
        durationMs: Math.round((performance.now() - start) * 1000) / 1000,
        bytes: bodyBytesOf(res),
      };
      const level = QUIET_ROUTES.has(route) ? 'debug' : 'info';
      logger[level](res.writableFinished ? line : { ...line, aborted: true }, 'request');
    });
  };
}

/** Express sets `req.route` when a route matched; its path is the template that the route was made with. */
function expressRouteOf(req: IncomingMessage): string {
  const { route } = req as { route?: { path?: unknown } };
  return typeof route?.path === 'string' ? route.path : 'unmatched';
}
