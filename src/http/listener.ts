import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import { Server as TlsServer } from 'node:tls';
import type { Duplex } from 'node:stream';
import type { ErrorCode } from '../errors.ts';
import { answerClientError } from './client-error.ts';
import { explainListenError } from './listen-error.ts';
import { followTicketKeys } from './ticket-keys.ts';
import { affordableConnections } from './open-files.ts';
import { AppResponse } from './response.ts';
import type { ServedTls } from './served-tls.ts';

/** A connection that is silent for this long while the service stops has nothing to ask. */
const SWEEP_MS = 500;

/** Forward-secret, authenticated encryption only: TLS 1.3's suites, then TLS 1.2's ECDHE ones (RFC 9325, 4.2). */
const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

const secureOptions = { minVersion: 'TLSv1.2', ciphers: CIPHERS } as const;

/** Node's own defaults allow a slow or silent peer minutes, or for ever. */
const options = {
  handshakeTimeout: 10_000,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  // How often the two above are looked at.
  connectionsCheckingInterval: 2000,
  // Longer than the idle time of proxies in front (60 s for nginx), so that they close first.
  keepAliveTimeout: 75_000,
  maxHeaderSize: 16 * 1024,
} as const;

/** A peer that neither reads nor writes is gone after this, or twice this: Node waits once more for what it has just sent. */
const SOCKET_TIMEOUT_MS = 30_000;
const MAX_HEADERS = 100;

export interface ListenerOptions {
  readonly tls: ServedTls;
  /** Those beyond, and beyond what the process has room for, are closed as they come. */
  readonly maxConnections: number;
  readonly handler: RequestListener<typeof IncomingMessage, typeof AppResponse>;
  /** Told of what is refused before it becomes a request. */
  readonly onRefusal?: ((code: ErrorCode) => void) | undefined;
}

/** An HTTPS server that can be stopped without cutting off what it is answering. */
export class Listener {
  readonly #server: Server<typeof IncomingMessage, typeof AppResponse>;
  readonly #sockets = new Set<Socket>();
  /** The answers under way. */
  readonly #responses = new Set<ServerResponse>();
  /** Connections on which the rest of a request is still to come that has had its answer. */
  readonly #answeredEarly = new WeakSet<Duplex>();
  #isDraining = false;
  #unfollowTicketKeys: () => void = () => undefined;

  constructor({ tls, maxConnections, handler, onRefusal = () => undefined }: ListenerOptions) {
    const { cert, key } = tls.current;
    this.#server = createServer({ ...options, ...secureOptions, ServerResponse: AppResponse, cert, key });
    // Node would make new ticket keys, too: each client would pay a full handshake, and workers would differ.
    tls.onReplaced(({ cert, key }) => {
      this.#server.setSecureContext({ ...secureOptions, cert, key, ticketKeys: this.#server.getTicketKeys() });
    });
    this.#server.setTimeout(SOCKET_TIMEOUT_MS);
    this.#server.maxHeadersCount = MAX_HEADERS;
    this.#server.maxConnections = affordableConnections(maxConnections);
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    const serve = (req: IncomingMessage, res: AppResponse): void => {
      this.#responses.add(res);
      res.on('close', () => {
        this.#responses.delete(res);
        if (!req.complete) this.#answeredEarly.add(req.socket);
      });
      if (this.#isDraining) res.shouldKeepAlive = false;
      handler(req, res);
    };
    this.#server.on('request', serve);
    // Whoever reads the body says when it should come; see body.ts.
    this.#server.on('checkContinue', serve);
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      // Bytes within an answer would pass for part of it, and behind one for that of the next request.
      const isAnswering = [...this.#responses].some((res) => res.socket === socket && res.headersSent);
      if (isAnswering || this.#answeredEarly.has(socket)) {
        socket.destroy();
        return;
      }
      const code = answerClientError(error, socket);
      if (code) onRefusal(code);
    });
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** @throws Error that names the setting to change when the address cannot be had. */
  async listen(port: number, host: string): Promise<number> {
    this.#server.listen(port, host);
    try {
      await once(this.#server, 'listening');
    } catch (error) {
      const names = { port: 'PORT', host: 'HOST' };
      throw new Error(explainListenError(error as NodeJS.ErrnoException, { port, host, names }), { cause: error });
    }
    this.#unfollowTicketKeys = followTicketKeys(this.#server);
    return (this.#server.address() as AddressInfo).port;
  }

  /** Whether it is about to close, so that requests should be sent elsewhere. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** How many requests have no complete answer yet. */
  get inFlight(): number {
    return this.#responses.size;
  }

  /**
   * Tells every client with its next answer to come back by another connection; after `delayMs` takes no new one, lets
   * requests under way finish, and cuts off what is left `limitMs` after the call.
   */
  async close({ delayMs, limitMs }: { delayMs: number; limitMs: number }): Promise<void> {
    if (!this.#server.listening) return;
    const deadline = performance.now() + limitMs;
    this.#isDraining = true;
    // Of those whose headers are out, the client is told with its next answer.
    for (const res of this.#responses) res.shouldKeepAlive = false;
    await sleep(delayMs);
    this.#unfollowTicketKeys();
    const closed = once(this.#server, 'close');
    // After a timer, Node reads its sockets and then runs immediates: there, no connection that is idle has a request
    // waiting in it, and none waits to be accepted.
    await immediate();
    // Not that of HTTPS, which first closes all that it takes for idle; see below.
    TlsServer.prototype.close.call(this.#server);
    const bytesHeard = new WeakMap<Socket, number>();
    while (this.#sockets.size > 0) {
      this.#sweep(bytesHeard, performance.now() > deadline);
      await Promise.race([closed, sleep(SWEEP_MS)]);
      await immediate();
    }
    await closed;
  }

  /** Closes what is idle, what has been silent since the last sweep while nothing is answered, or, late, everything. */
  #sweep(bytesHeard: WeakMap<Socket, number>, isLate: boolean): void {
    // For Node a connection is idle when its answer is written, also while the end of it still waits to be sent.
    if (![...this.#responses].some((res) => res.writableEnded)) this.#server.closeIdleConnections();
    const isQuiet = this.#responses.size === 0;
    for (const socket of this.#sockets) {
      if (isLate || (isQuiet && bytesHeard.get(socket) === socket.bytesRead)) socket.destroy();
      bytesHeard.set(socket, socket.bytesRead);
    }
  }
}
