import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { explainListenError } from '../../http/listen-error.ts';
import { JSON_TYPE } from '../../http/respond.ts';
import type { Logger } from '../logger.ts';
import { topCallers } from './callers.ts';
import { render } from './family.ts';
import type { ProcessReport } from './metrics.ts';

/** Far more than anybody needs who scrapes, and few enough to hold no memory worth naming. */
const MAX_CONNECTIONS = 100;

/** prom-client's own format: text, version 0.0.4. */
const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

interface Page {
  readonly contentType: string;
  readonly body: string;
}

export interface MetricsServerOptions {
  readonly port: number;
  readonly host: string;
  readonly logger: Logger;
  /** Of all processes. */
  readonly collect: () => Promise<readonly ProcessReport[]>;
}

/** `connectionsCheckingInterval` is how often the others are looked at. */
const options = { requestTimeout: 5000, headersTimeout: 5000, connectionsCheckingInterval: 1000 } as const;

/** Serves `/metrics` and `/callers` on a port of their own, in plain HTTP, to whoever can reach it. */
export class MetricsServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #collect: MetricsServerOptions['collect'];
  readonly #logger: Logger;
  #collecting: Promise<readonly ProcessReport[]> | undefined;

  private constructor({ collect, logger }: MetricsServerOptions) {
    this.#collect = collect;
    this.#logger = logger;
    this.#server = createServer(options, (req, res) => {
      this.#answer(req, res).catch((error: unknown) => {
        this.#logger.error({ err: error }, 'metrics cannot be collected');
        sendText(res, 500, 'metrics cannot be collected\n');
      });
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** @throws Error that names the setting to change when the address cannot be had. */
  static async start(options: MetricsServerOptions): Promise<MetricsServer> {
    const { port, host, logger } = options;
    const metrics = new MetricsServer(options);
    const server = metrics.#server.listen(port, host);
    try {
      await once(server, 'listening');
    } catch (error) {
      const names = { port: 'METRICS_PORT', host: 'METRICS_HOST' };
      throw new Error(explainListenError(error as NodeJS.ErrnoException, { port, host, names }), { cause: error });
    }
    const bound = (server.address() as AddressInfo).port;
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${bound}/metrics`;
    logger.info({ metrics: url }, `metrics on ${url}`);
    return metrics;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer({ method = '', url = '' }: IncomingMessage, res: ServerResponse): Promise<void> {
    const page = pages.get(url.split('?', 1)[0] ?? '');
    if (!page) {
      sendText(res, 404, 'only /metrics and /callers are here\n');
    } else if (method !== 'GET' && method !== 'HEAD') {
      res.setHeader('Allow', 'GET, HEAD');
      sendText(res, 405, 'only GET and HEAD\n');
    } else {
      const { contentType, body } = await page(await this.#collectOnce());
      respond(res, 200, contentType, body);
    }
  }

  /** Whoever asks while others are being told gets the same answer, so that many cost no more than one at a time. */
  #collectOnce(): Promise<readonly ProcessReport[]> {
    return (this.#collecting ??= this.#collect().finally(() => (this.#collecting = undefined)));
  }
}

const pages = new Map<string, (processes: readonly ProcessReport[]) => Promise<Page> | Page>([
  ['/metrics', presentMetrics],
  ['/callers', presentCallers],
]);

async function presentMetrics(processes: readonly ProcessReport[]): Promise<Page> {
  return { contentType: EXPOSITION_TYPE, body: await render(processes.map(({ families }) => families)) };
}

function presentCallers(processes: readonly ProcessReport[]): Page {
  const top = topCallers(processes.flatMap(({ callers }) => callers ?? []));
  return { contentType: JSON_TYPE, body: `${JSON.stringify(top, undefined, 2)}\n` };
}

function sendText(res: ServerResponse, status: number, body: string): void {
  respond(res, status, 'text/plain; charset=utf-8', body);
}

function respond(res: ServerResponse, status: number, contentType: string, body: string): void {
  res.writeHead(status, { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(body) }).end(body);
}
