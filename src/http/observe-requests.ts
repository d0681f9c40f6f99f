import type { RequestContext } from './context.ts';

/** When a request was over, and how long it took. */
export interface RequestTiming {
  /** By `performance.now()`. */
  readonly end: number;
  /** From the head of the request to the end of the response. */
  readonly milliseconds: number;
}

/** Called once for each request, when its response is sent or its client is gone. */
export type RequestObserver = (context: RequestContext, timing: RequestTiming) => void;

/** Counts a request as under way until it is over, then reports it to the observers. */
export function observeRequest(context: RequestContext, observers: readonly RequestObserver[]): void {
  const { res, traffic, connection } = context;
  traffic.inFlight++;
  res.on('close', () => {
    if (!context.isLongLived) traffic.inFlight--;
    if (res.headersSent) {
      traffic.unfinished--;
      // Otherwise the rest of the request is still to come, and nothing else may be answered on this connection.
      if (context.req.complete) connection.responses--;
    }
    const end = performance.now();
    const timing = { end, milliseconds: end - context.start };
    for (const observe of observers) observe(context, timing);
  });
}
