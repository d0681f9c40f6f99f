import cluster, { type Worker } from 'node:cluster';
import { X509Certificate } from 'node:crypto';
import { ServedTls } from './served-tls.ts';
import type { TlsFiles } from './tls-files.ts';

/**
 * Workers get certificate and key from their primary, which alone looks at the files: all have the same pair, one line
 * says so, and a worker that is replaced does not depend on files that cannot be used just then.
 */
interface TlsMessage {
  readonly tls: { readonly cert: string; readonly key: string };
}

/** The primary's half: each worker gets the pair when it is there, and every later one. */
export function shareTls(served: ServedTls): void {
  const share = (worker: Worker): void => {
    const { cert, key } = served.current;
    const message: TlsMessage = { tls: { cert, key } };
    // One that cannot be reached is dying; its successor is given it.
    worker.send(message, () => undefined);
  };
  cluster.on('online', share);
  served.onReplaced(() => {
    for (const worker of Object.values(cluster.workers ?? {})) if (worker) share(worker);
  });
}

/** The worker's half. */
export class ReceivedTls extends ServedTls {
  readonly #receive = (message: Partial<TlsMessage>): void => {
    const files = toTlsFiles(message);
    if (files) this.replace(files);
  };

  private constructor(files: TlsFiles) {
    super(files);
    process.on('message', this.#receive);
  }

  /** Resolves with the first pair. What the primary has said before anybody listened comes all at once. */
  static open(): Promise<ReceivedTls> {
    return new Promise((resolve) => {
      const receiveFirst = (message: Partial<TlsMessage>): void => {
        const files = toTlsFiles(message);
        if (!files) return;
        process.off('message', receiveFirst);
        resolve(new ReceivedTls(files));
      };
      process.on('message', receiveFirst);
    });
  }

  override async reload(): Promise<void> {
    // The primary does, and tells.
  }

  override close(): void {
    process.off('message', this.#receive);
  }
}

function toTlsFiles({ tls }: Partial<TlsMessage>): TlsFiles | undefined {
  return tls && { ...tls, certificate: new X509Certificate(tls.cert) };
}
