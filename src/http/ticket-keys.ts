import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:tls';
import { onPrimaryMessage, sendToAllWorkers, sendToWorker } from '../processes/channel.ts';

/**
 * Session tickets let a client come back without a full handshake, to any worker, so that workers share the keys that
 * seal them. Whoever gets hold of these keys can read recorded connections: they are changed often, old ones are not
 * kept (RFC 9325, 3.4), and they are never in a file, in the environment or in the log. A ticket of old keys costs its
 * client one full handshake.
 */
const ROTATION_MS = 12 * 60 * 60 * 1000;

/** As tls.Server takes them: a name, a key for the HMAC and one for AES. */
const KEY_BYTES = 48;

/** Gives a listening server its keys: in a worker those that the primary shares, else its own. @returns what ends it. */
export function followTicketKeys(server: Server): () => void {
  if (!cluster.isWorker) {
    const timer = setInterval(() => server.setTicketKeys(randomBytes(KEY_BYTES)), ROTATION_MS).unref();
    return () => {
      clearInterval(timer);
    };
  }
  return onPrimaryMessage('ticketKeys', (keys) => {
    server.setTicketKeys(Buffer.from(keys, 'base64'));
  });
}

/** In the primary: all workers get the same keys, each when it comes to listen and whenever the keys change. */
export function shareTicketKeys(): void {
  const createKeys = (): string => randomBytes(KEY_BYTES).toString('base64');
  let keys = createKeys();
  cluster.on('listening', (worker) => {
    sendToWorker(worker, 'ticketKeys', keys);
  });
  setInterval(() => {
    keys = createKeys();
    sendToAllWorkers('ticketKeys', keys);
  }, ROTATION_MS).unref();
}
