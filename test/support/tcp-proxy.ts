import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { dispose } from './leftovers.ts';

/** `before`: what matches is not passed on. `after`: it is, and the answer to it is not. */
type Side = 'before' | 'after';

interface Trap {
  readonly matches: (bytes: Buffer) => boolean;
  readonly side: Side;
  readonly sprung: () => void;
}

/** A proxy on a free port of the loopback that passes everything on, until told otherwise. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const proxy = new TcpProxy(targetPort);
  dispose(() => proxy.close());
  return proxy.listen();
}

/** A network that fails on demand. */
export class TcpProxy {
  readonly #server: Server = createServer((client) => this.#serve(client));
  readonly #sockets = new Set<Socket>();
  #targetPort: number;
  #delayMs = 0;
  #trap: Trap | undefined;
  /** Resolved, but for a black hole. */
  #passage = Promise.resolve();
  #open: () => void = () => undefined;

  constructor(targetPort: number) {
    this.#targetPort = targetPort;
  }

  async listen(): Promise<this> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The URL of the target, by way of this proxy. */
  through(url: string): string {
    const proxied = new URL(url);
    proxied.port = String(this.port);
    return proxied.href;
  }

  /** Cuts all connections; new ones go to another port: an address that moves in a failover. */
  retarget(port: number): void {
    this.#targetPort = port;
    this.cut();
  }

  /** Resets all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** On: connections are accepted, and nothing passes in either direction. Off: what was held back passes. */
  blackHole(on: boolean): void {
    this.#open();
    if (on) this.#passage = new Promise((resolve) => (this.#open = resolve));
  }

  /** How much longer what is sent from now on takes, in each direction. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Resets, once, the connection on which the client sends what matches; resolves when that has happened. */
  async cutWhen(matches: Trap['matches'], side: Side): Promise<void> {
    return new Promise((sprung) => (this.#trap = { matches, side, sprung }));
  }

  async close(): Promise<void> {
    this.blackHole(false);
    this.#server.close();
    this.cut();
    await once(this.#server, 'close');
  }

  #serve(client: Socket): void {
    const server = connect(this.#targetPort, '127.0.0.1');
    let sprung: Trap | undefined;
    const reset = (): void => {
      client.resetAndDestroy();
      server.resetAndDestroy();
      sprung?.sprung();
    };
    this.#pass(client, server, (bytes) => {
      if (!this.#trap?.matches(bytes)) return true;
      [sprung, this.#trap] = [this.#trap, undefined];
      if (sprung.side === 'before') reset();
      return sprung.side === 'after';
    });
    this.#pass(server, client, () => {
      if (sprung) reset();
      return !sprung;
    });
  }

  #pass(from: Socket, to: Socket, mayPass: (bytes: Buffer) => boolean): void {
    this.#sockets.add(from);
    let last = Promise.resolve();
    from.setNoDelay();
    from.on('data', (bytes: Buffer) => {
      if (!mayPass(bytes)) return;
      const due = performance.now() + this.#delayMs;
      last = last
        .then(() => this.#passage)
        .then(() => (due > performance.now() ? sleep(due - performance.now()) : undefined))
        .then(() => {
          if (to.writable) to.write(bytes);
        });
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      this.#sockets.delete(from);
      // What it sent last arrives first.
      void last.then(() => to.destroySoon());
    });
  }
}
