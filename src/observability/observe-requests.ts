import type { IncomingMessage } from 'node:http';
import type { AppResponse } from '../http/response.ts';
import { bodyBytesOf } from '../http/send.ts';

/** A request whose answer is out, or whose client is gone. */
export interface FinishedRequest {
  readonly req: IncomingMessage;
  readonly res: AppResponse;
  /** The route's template, never the path; `unmatched` where no route took it. */
  readonly route: string;
  /** Of the client; undefined where it was gone before anybody could ask. */
  readonly address: string | undefined;
  /** From the head of the request to the end of the answer. */
  readonly milliseconds: number;
  /** Of the answer's body. */
  readonly sentBytes: number;
  /** Of `performance.now()`. */
  readonly now: number;
}

export type RequestObserver = (request: FinishedRequest) => void;

export interface ObservationOptions {
  readonly observers: readonly RequestObserver[];
  /** Where an observer wants to know it. */
  readonly clientAddressOf: ((req: IncomingMessage) => string | undefined) | undefined;
}

/** Tells of each request once, when it is over. */
export function observeRequests({ observers, clientAddressOf }: ObservationOptions) {
  return function observeRequests(req: IncomingMessage, res: AppResponse): void {
    const start = performance.now();
    // Now, because a socket that is closed has forgotten it.
    const address = clientAddressOf?.(req);
    res.on('close', () => {
      const now = performance.now();
      const route = res.route ?? expressRouteOf(req);
      const request = { req, res, route, address, milliseconds: now - start, sentBytes: bodyBytesOf(res), now };
      for (const observe of observers) observe(request);
    });
  };
}

/** Express sets `req.route` when a route matched; its path is the template that the route was made with. */
function expressRouteOf(req: IncomingMessage): string {
  const { route } = req as { route?: { path?: unknown } };
  return typeof route?.path === 'string' ? route.path : 'unmatched';
}
