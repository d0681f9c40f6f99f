import { symbols } from 'pino';
import type { Logger } from './logger.ts';
import type { RequestObserver } from './observe-requests.ts';

/** Health checks come every few seconds and say nothing; they are there at debug. */
const QUIET_ROUTES = new Set(['/health', '/health/ready']);

/**
 * One line per request: the route's template but never the path, the query or a body, because a sha in a log is evidence
 * that a text exists, and a GraphQL query may hold the text.
 *
 * The line is put together here, as pino would, and given to pino's destination: its general way of making one took
 * a twelfth of the time of a lookup by GraphQL. Nothing in it needs escaping: ids are of a few characters, methods are those that
 * Node's parser knows, routes are our own.
 */
export function accessLog(logger: Logger): RequestObserver {
  const { destination, bindings } = internalsOf(logger);

  return function accessLog({ req, res, route, milliseconds, sentBytes }) {
    const level = QUIET_ROUTES.has(route) ? 'debug' : 'info';
    if (!logger.isLevelEnabled(level)) return;
    const duration = Math.round(milliseconds * 1000) / 1000;
    destination.write(
      `{"level":${logger.levels.values[level]},"time":${Date.now()}${bindings},"requestId":"${res.requestId}",` +
        `"method":"${req.method}","route":"${route}","status":${res.statusCode},"durationMs":${duration},` +
        `"bytes":${sentBytes}${res.writableFinished ? '' : ',"aborted":true'},"msg":"request"}\n`,
    );
  };
}

/** Where a logger writes, and the members of every line of its own; pino gives both out by its symbols. */
function internalsOf(logger: Logger): { destination: { write(line: string): void }; bindings: string } {
  const internals = logger as unknown as Record<symbol, unknown>;
  return {
    destination: internals[symbols.streamSym] as { write(line: string): void },
    bindings: internals[symbols.chindingsSym] as string,
  };
}
