import type { RequestObserver } from '../http/observe-requests.ts';
import type { Log } from './logger.ts';

/**
 * One line per request: the route's template but never the path, the query or a body, because a sha in a log is evidence
 * that a text exists, and a GraphQL query may hold the text.
 *
 * The line is put together here and not by pino, whose general way took a twelfth of the time of a GraphQL lookup. None
 * of its values needs escaping: ids have a restricted form, methods are those that Node's parser knows, and routes are
 * our own.
 */
export function accessLog({ logger, destination, base }: Log): RequestObserver {
  const bindings = `,${JSON.stringify(base).slice(1, -1)}`;
  const prefixOf = (level: 'info' | 'debug'): string | undefined =>
    logger.isLevelEnabled(level) ? `{"level":${logger.levels.values[level]},"time":` : undefined;
  // Health checks come every few seconds and say nothing.
  const [prefix, probePrefix] = [prefixOf('info'), prefixOf('debug')];

  return function accessLog({ id, req, res, route, routePath, sentBytes }, { milliseconds }) {
    const linePrefix = route?.isProbe === true ? probePrefix : prefix;
    if (linePrefix === undefined) return;
    const duration = Math.round(milliseconds * 1000) / 1000;
    destination.write(
      `${linePrefix}${Date.now()}${bindings},"requestId":"${id}","method":"${req.method}","route":"${routePath}",` +
        `"status":${res.statusCode},"durationMs":${duration},"bytes":${sentBytes}` +
        `${res.writableFinished ? '' : ',"aborted":true'},"msg":"request"}\n`,
    );
  };
}
