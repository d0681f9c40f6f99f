import { connect } from 'node:tls';
import type { Service } from './service.ts';

/** Sends bytes over TLS as they are; resolves with all that came back when the server closed, or after `waitMs`. */
export async function sendRaw(
  { url, ca }: Pick<Service, 'url' | 'ca'>,
  bytes: string | Buffer,
  waitMs = 3_000,
): Promise<string> {
  const { hostname: host, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect({ host, port: Number(port), ca }, () => socket.write(bytes));
    const timer = setTimeout(() => socket.destroy(), waitMs);
    socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(received);
    });
  });
}
