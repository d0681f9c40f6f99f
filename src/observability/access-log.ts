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
  const bindings = `,${JSON.stringify(base).slice(1, -1)},"requestId":"`;
  const startOf = (level: 'info' | 'debug'): ((now: number) => string) | undefined =>
    logger.isLevelEnabled(level) ? createStart(`{"level":${logger.levels.values[level]},"time":`, bindings) : undefined;
  // Health checks come every few seconds and say nothing.
  const [start, probeStart] = [startOf('info'), startOf('debug')];

  return function accessLog({ id, req, res, route, routePath, sentBytes }, { milliseconds }) {
    const startLine = route?.isProbe === true ? probeStart : start;
    if (!startLine) return;
    const duration = Math.round(milliseconds * 1000) / 1000;
    const end = res.writableFinished ? ',"msg":"request"}\n' : ',"aborted":true,"msg":"request"}\n';
    destination.write(
      `${startLine(Date.now())}${id}","method":"${req.method}","route":"${routePath}","status":${res.statusCode},` +
        `"durationMs":${duration},"bytes":${sentBytes}${end}`,
    );
  };
}

/** Lines of the same millisecond begin alike, so that the time is written once for all of them. */
function createStart(head: string, tail: string): (now: number) => string {
  let last = NaN;
  let text = '';
  return function start(now) {
    if (now !== last) text = `${head}${(last = now)}${tail}`;
    return text;
  };
}
