import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import type { TLSSocket } from 'node:tls';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body, parsed as JSON. */
  readonly json: unknown;
}

/** What a request rejects with. */
export interface ClientError extends NodeJS.ErrnoException {
  /** Whether there was a connection to send it on. */
  readonly wasSent: boolean;
}

export interface ClientRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Uint8Array;
}

/** An HTTPS client that trusts one certificate, explicitly, and adds nothing to what it is told to send. */
export class Client {
  readonly #origin: URL;
  readonly #options: RequestOptions;
  readonly agent: Agent;
  readonly url: string;

  constructor(url: string, ca: string) {
    this.url = url;
    this.#origin = new URL(url);
    this.agent = new Agent({ keepAlive: true, ca });
    this.#options = { hostname: this.#origin.hostname, port: this.#origin.port, agent: this.agent };
  }

  async request({ method = 'GET', path, headers = {}, body }: ClientRequest): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        const socket = outgoing.socket as TLSSocket | null;
        reject(Object.assign(error, { wasSent: socket?.authorized ?? false }));
      };
      const outgoing = httpsRequest({ ...this.#options, method, path, headers }, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', fail);
        incoming.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const answer = {
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            text,
            get json() {
              return JSON.parse(text) as unknown;
            },
          };
          // A service in this process logs the request once its response is written, in the same turn.
          setImmediate(resolve, answer);
        });
      });
      outgoing.on('error', fail);
      outgoing.end(body);
    });
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.request({ path, headers });
  }

  post(path: string, body: string | Uint8Array, headers: Record<string, string> = {}): Promise<Answer> {
    const length = String(typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength);
    return this.request({ method: 'POST', path, body, headers: { 'content-length': length, ...headers } });
  }

  /** Posts an operation as a frontend would. */
  graphql(query: string, variables?: Record<string, unknown>, headers: Record<string, string> = {}): Promise<Answer> {
    const body = JSON.stringify({ query, variables });
    return this.post('/graphql', body, { 'content-type': 'application/json', ...headers });
  }

  close(): void {
    this.agent.destroy();
  }
}
