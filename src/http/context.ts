import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorCode } from '../errors.ts';
import type { CompleteResponse } from './respond.ts';
import type { ResponseBatch } from './response-batch.ts';
import type { Route } from './route.ts';
import type { Connection, Traffic } from './traffic.ts';

/** A client's own request id must match; anything else could forge log lines or headers and is replaced. */
const acceptableId = /^[A-Za-z0-9._-]{1,64}$/;

const NO_CODES: readonly ErrorCode[] = [];
const NO_HEADERS: readonly string[] = [];

export interface RequestContextOptions {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly connection: Connection;
  readonly traffic: Traffic;
  readonly batch: ResponseBatch<RequestContext>;
  /** IP address of the client. Undefined where nobody asks for it, or where the client is gone already. */
  readonly address: string | undefined;
}

/**
 * Everything that is known about one request. It is made when the head of the request has arrived, passed to policies,
 * handlers and resolvers, and read by the access log and the metrics when the response is over.
 */
export class RequestContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly connection: Connection;
  readonly traffic: Traffic;
  readonly batch: ResponseBatch<RequestContext>;
  readonly address: string | undefined;
  /** Time at which the head of the request had arrived, by `performance.now()`. */
  readonly start = performance.now();
  /** The client's X-Request-Id where it is acceptable, otherwise a new UUID. Errors and log lines carry it. */
  readonly id: string;
  /** The row of the route table. Undefined until a route matches, and for unknown paths. */
  route: Route | undefined;
  /** Whether the response is a stream that its client may read for as long as it likes. */
  isLongLived = false;
  /** Kind of GraphQL operation: query, mutation or subscription. */
  operation: string | undefined;
  /** The response, once there is one; streams are written at once and have none. */
  response: CompleteResponse | undefined;
  /** Codes of the errors in the response, each once. */
  errorCodes = NO_CODES;
  /** Bytes of the request's body that were read. */
  receivedBytes = 0;
  /** Bytes of the response's body. */
  sentBytes = 0;
  /** Value of the Vary header. */
  vary = 'Origin';
  /** The other headers that CORS adds to the response: name, value, name, value, … */
  corsHeaders = NO_HEADERS;

  constructor({ req, res, connection, traffic, batch, address }: RequestContextOptions) {
    this.req = req;
    this.res = res;
    this.connection = connection;
    this.traffic = traffic;
    this.batch = batch;
    this.address = address;
    const given = req.headers['x-request-id'];
    this.id = typeof given === 'string' && acceptableId.test(given) ? given : randomUUID();
  }

  /** Says which route the request takes. A long-lived response stops counting as load. */
  enter(route: Route): void {
    this.route = route;
    if (route.isLongLived?.(this) !== true) return;
    this.isLongLived = true;
    this.traffic.inFlight--;
  }

  /** The path template, never the path, which may hold a sha. */
  get routePath(): string {
    return this.route?.path ?? 'unmatched';
  }

  /** The query string of the request target, with its question mark; empty where there is none. */
  get search(): string {
    const { url = '' } = this.req;
    const start = url.indexOf('?');
    return start === -1 ? '' : url.slice(start);
  }

  /** Whether it is too late for another response. */
  get hasResponded(): boolean {
    return this.response !== undefined || this.res.headersSent;
  }

  noteError(code: ErrorCode): void {
    if (!this.errorCodes.includes(code)) this.errorCodes = [...this.errorCodes, code];
  }
}
