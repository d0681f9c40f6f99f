import type { X509Certificate } from 'node:crypto';
import type { Logger } from '../observability/logger.ts';
import { curlTrust } from './curl.ts';
import { coversHost, daysLeft, namesOf } from './certificate.ts';
import type { TlsFiles } from './tls-files.ts';

export interface Announcement {
  readonly url: string;
  readonly tls: TlsFiles;
  readonly certFile: string;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** The start-up line: where the service is, with what certificate, and a command to try it by. */
export function announce(logger: Logger, { url, tls: { certificate }, certFile, now }: Announcement): void {
  const trust = curlTrust(certificate, certFile, new URL(url).hostname);
  const days = daysLeft(certificate, now);
  logger.info(
    {
      url,
      certificate: { file: certFile, names: namesOf(certificate), daysLeft: days },
      try: ['curl', trust, `${url}/messages`].filter(Boolean).join(' '),
    },
    `listening on ${url}`,
  );
  if (days < 0) logger.warn({ file: certFile }, 'the certificate has expired: clients that verify it will refuse it');
}

/** The URL by which a client on this machine reaches the listener and, where that can be, trusts its certificate. */
export function urlOf(host: string, port: number, { certificate }: TlsFiles): string {
  const name = host === '::' || host === '0.0.0.0' ? ownName(certificate) : host;
  return `https://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

function ownName(certificate: X509Certificate): string {
  if (coversHost(certificate, 'localhost')) return 'localhost';
  return namesOf(certificate).find((name) => !name.includes('*')) ?? 'localhost';
}
