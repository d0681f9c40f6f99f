import { connect, type ClientHttp2Session } from 'node:http2';
import { buffer } from 'node:stream/consumers';
import type { IncomingHttpHeaders } from 'node:http';
import { once } from 'node:events';
import type { Answer, ClientRequest } from './client.ts';
import { dispose } from './leftovers.ts';

/** As Client, in HTTP/2: many requests at once on one connection. */
export class Http2Client {
  readonly #session: ClientHttp2Session;

  constructor(url: string, ca: string) {
    this.#session = connect(url, { ca });
    // Requests tell.
    this.#session.on('error', () => undefined);
    dispose(() => {
      this.#session.destroy();
    });
  }

  /** Rejects when the answer does not come or is cut off. */
  async request({ method = 'GET', path, headers = {}, body }: ClientRequest): Promise<Answer> {
    const stream = this.#session.request({ ':method': method, ':path': path, ...headers });
    stream.end(body);
    const [answered] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status': number }];
    const text = (await buffer(stream)).toString('utf8');
    if (stream.rstCode !== 0) throw new Error(`reset with ${stream.rstCode}`);
    const { ':status': status, ...rest } = answered;
    return {
      status,
      headers: rest,
      text,
      get json() {
        return JSON.parse(text) as unknown;
      },
    };
  }
}
