/**
 * Counts what is under way in this process. Requests are counted, never collected: a request that passes through a
 * long-lived Set or Map is promoted to V8's old generation (docs/adr/0012-request-path.md).
 */
export class Traffic {
  /** Requests without a complete response. Long-lived responses do not count: they are no load. */
  inFlight = 0;
  /** Responses whose head is written and whose end is not yet sent, long-lived ones included. */
  unfinished = 0;
  /** Whether the service is about to close, so that clients should use another connection. */
  isDraining = false;
}

/** What the listener has to know about one connection. */
export class Connection {
  /** Responses that have begun and are not over, or whose request has not arrived completely. */
  responses = 0;
}
