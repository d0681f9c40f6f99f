import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import { Server as TlsServer } from 'node:tls';
import type { Duplex } from 'node:stream';
import type { ErrorCode } from '../errors.ts';
import { answerClientError } from './client-error.ts';
import { explainListenError } from './listen-error.ts';
import { followTicketKeys } from './ticket-keys.ts';
import { affordableConnections } from './open-files.ts';
import type { ServedTls } from './served-tls.ts';
import { Connection, type Traffic } from './traffic.ts';

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

export type RequestListener = (req: IncomingMessage, res: ServerResponse, connection: Connection) => void;

export interface ListenerOptions {
  readonly tls: ServedTls;
  /** Those beyond, and beyond what the process has room for, are closed as they come. */
  readonly maxConnections: number;
  readonly traffic: Traffic;
  readonly handler: RequestListener;
  /** Told of what is refused before it becomes a request. */
  readonly onRefusal?: ((code: ErrorCode) => void) | undefined;
}

/** An HTTPS server that can be stopped without cutting off what it is answering. */
export class Listener {
  readonly #server: Server;
  readonly #traffic: Traffic;
  readonly #sockets = new Set<Socket>();
  readonly #connections = new WeakMap<Duplex, Connection>();
  #unfollowTicketKeys: () => void = () => undefined;

  constructor({ tls, maxConnections, traffic, handler, onRefusal = () => undefined }: ListenerOptions) {
    const { cert, key } = tls.current;
    this.#traffic = traffic;
    this.#server = createServer({ ...options, ...secureOptions, cert, key });
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
    const serve = (req: IncomingMessage, res: ServerResponse): void => {
      handler(req, res, this.#connectionOf(req.socket));
    };
    this.#server.on('request', serve);
    // Whoever reads the body says when it should come; see body.ts.
    this.#server.on('checkContinue', serve);
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      // Bytes within a response would pass for part of it, and behind one for the response to the next request.
      if (this.#connectionOf(socket).responses > 0) {
        socket.destroy();
        return;
      }
      const code = answerClientError(error, socket);
      if (code) onRefusal(code);
    });
  }

  #connectionOf(socket: Duplex): Connection {
    let connection = this.#connections.get(socket);
    if (!connection) this.#connections.set(socket, (connection = new Connection()));
    return connection;
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

  /**
   * Tells every client with its next answer to come back by another connection; after `delayMs` takes no new one, lets
   * requests under way finish, and cuts off what is left `limitMs` after the call.
   */
  async close({ delayMs, limitMs }: { delayMs: number; limitMs: number }): Promise<void> {
    if (!this.#server.listening) return;
    const deadline = performance.now() + limitMs;
    this.#traffic.isDraining = true;
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

  /**
   * Closes idle connections, then those that have sent nothing since the last sweep while no request is under way, with
   * them long-lived responses; and all connections when it is late.
   */
  #sweep(bytesHeard: WeakMap<Socket, number>, isLate: boolean): void {
    // Node takes a connection for idle once its response is written, even while the end still waits to be sent.
    if (this.#traffic.unfinished === 0) this.#server.closeIdleConnections();
    const isQuiet = this.#traffic.inFlight === 0;
    for (const socket of this.#sockets) {
      if (isLate || (isQuiet && bytesHeard.get(socket) === socket.bytesRead)) socket.destroy();
      bytesHeard.set(socket, socket.bytesRead);
    }
  }
}
