import cluster, { type Worker } from 'node:cluster';
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:tls';

/**
 * Session tickets let a client come back without a full handshake, to any worker, so that workers share the keys that
 * seal them. Whoever gets hold of these keys can read recorded connections: they are changed often, old ones are not
 * kept (RFC 9325, 3.4), and they are never in a file, in the environment or in the log. A ticket of old keys costs its
 * client one full handshake.
 */
const ROTATION_MS = 12 * 60 * 60 * 1000;

/** As tls.Server takes them: a name, a key for the HMAC and one for AES. */
const KEY_BYTES = 48;

interface TicketKeysMessage {
  readonly ticketKeys: string;
}

/** Gives a listening server its keys: in a worker those that the primary shares, else its own. @returns what ends it. */
export function followTicketKeys(server: Server): () => void {
  if (!cluster.isWorker) {
    const timer = setInterval(() => server.setTicketKeys(randomBytes(KEY_BYTES)), ROTATION_MS).unref();
    return () => {
      clearInterval(timer);
    };
  }
  const follow = ({ ticketKeys }: Partial<TicketKeysMessage>): void => {
    if (ticketKeys !== undefined) server.setTicketKeys(Buffer.from(ticketKeys, 'base64'));
  };
  process.on('message', follow);
  return () => process.off('message', follow);
}

/** The primary's half: all workers get the same keys, each when it comes to listen and whenever these change. */
export function shareTicketKeys(): void {
  let ticketKeys = randomBytes(KEY_BYTES);
  const share = (worker: Worker): void => {
    const message: TicketKeysMessage = { ticketKeys: ticketKeys.toString('base64') };
    // One that cannot be reached is dying; its successor is given them.
    worker.send(message, () => undefined);
  };
  cluster.on('listening', share);
  setInterval(() => {
    ticketKeys = randomBytes(KEY_BYTES);
    for (const worker of Object.values(cluster.workers ?? {})) if (worker) share(worker);
  }, ROTATION_MS).unref();
}
