import cluster from 'node:cluster';
import { X509Certificate } from 'node:crypto';
import { onPrimaryMessage, sendToAllWorkers, sendToWorker, type ToWorker } from '../processes/channel.ts';
import { ServedTls } from './served-tls.ts';
import type { TlsFiles } from './tls-files.ts';

/**
 * In the primary: sends certificate and key to each worker when it is there, and whenever they change. The primary alone
 * looks at the files: all workers show the same pair, one line logs it, and a worker that is replaced does not depend on
 * files that cannot be used just then.
 */
export function shareTls(served: ServedTls): void {
  const toMessage = ({ cert, key }: TlsFiles): ToWorker['tls'] => ({ cert, key });
  cluster.on('online', (worker) => {
    sendToWorker(worker, 'tls', toMessage(served.current));
  });
  served.onReplaced((files) => {
    sendToAllWorkers('tls', toMessage(files));
  });
}

/** In a worker: certificate and key as the primary sends them. */
export class ReceivedTls extends ServedTls {
  readonly #stopListening: () => void;

  private constructor(files: TlsFiles) {
    super(files);
    this.#stopListening = onPrimaryMessage('tls', (tls) => {
      this.replace(toTlsFiles(tls));
    });
  }

  /** Resolves with the first pair. Messages that came before anybody listened arrive all at once. */
  static open(): Promise<ReceivedTls> {
    return new Promise((resolve) => {
      const stopListening = onPrimaryMessage('tls', (tls) => {
        stopListening();
        resolve(new ReceivedTls(toTlsFiles(tls)));
      });
    });
  }

  override async reload(): Promise<void> {
    // The primary reloads the files and sends them.
  }

  override close(): void {
    this.#stopListening();
  }
}

function toTlsFiles(tls: ToWorker['tls']): TlsFiles {
  return { ...tls, certificate: new X509Certificate(tls.cert) };
}
