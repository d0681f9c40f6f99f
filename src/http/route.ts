import type { RequestContext } from './context.ts';
import type { ErrorFormat } from './respond-error.ts';

/** A group of routes that speak alike. */
export interface Api {
  readonly name: 'rest' | 'graphql' | 'health' | 'page';
  readonly errorFormat: ErrorFormat;
}

/**
 * Responds to a request, or throws the error to respond with.
 *
 * @param parameter the decoded value of the parameter in the route's path; empty where the path has none.
 */
export type Handler = (context: RequestContext, parameter: string) => void | Promise<void>;

/** One row of the route table. Everything that depends on the route of a request is derived from its row. */
export interface Route {
  /** Literal segments, as `/messages`. The last one may be a parameter, as in `/messages/:sha`. */
  readonly path: string;
  readonly api: Api;
  /** HEAD is served by GET's handler; OPTIONS and the refusal of other methods need none. */
  readonly handlers: { readonly GET?: Handler; readonly POST?: Handler };
  /** A health check: exempt from load shedding, and logged at debug. Default false. */
  readonly isProbe?: true;
  /** Open to everybody when authentication is on. Default false. */
  readonly isPublic?: true;
  /**
   * Whether the response to this request may take as long as its client likes: a whole list, a feed. Such a response is
   * no load, and a shutdown does not wait for its end. Default: never.
   */
  readonly isLongLived?: (context: RequestContext) => boolean;
}

/** Value of the Allow header: the methods that a route serves (RFC 9110, 10.2.1). */
export function allowedMethods({ handlers }: Route): string {
  return [...(handlers.GET ? ['GET', 'HEAD'] : []), ...(handlers.POST ? ['POST'] : []), 'OPTIONS'].join(', ');
}

export interface Match {
  readonly route: Route;
  readonly parameter: string;
}

/** A parameter that needs no decoding: unreserved characters only (RFC 3986, 2.3). */
const plainParameter = /^[\w.~-]+$/;

/**
 * Makes the function that finds the route of a plain request target: a path without query string, and with nothing to
 * decode. It saves these targets, which are nearly all, the way through Express.
 *
 * @returns undefined for any other target, and for unknown paths: Express decides about these.
 */
export function createPlainMatcher(routes: readonly Route[]): (target: string) => Match | undefined {
  const literal = new Map<string, Match>();
  const byPrefix = new Map<string, Route>();
  for (const route of routes) {
    const parameterStart = route.path.indexOf(':');
    if (parameterStart === -1) literal.set(route.path, { route, parameter: '' });
    else byPrefix.set(route.path.slice(0, parameterStart), route);
  }
  return function matchPlain(target) {
    const match = literal.get(target);
    if (match) return match;
    const parameterStart = target.lastIndexOf('/') + 1;
    const route = byPrefix.get(target.slice(0, parameterStart));
    const parameter = target.slice(parameterStart);
    return route && plainParameter.test(parameter) ? { route, parameter } : undefined;
  };
}
