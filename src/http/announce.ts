import type { Logger } from '../observability/logger.ts';
import { curlTrust } from './curl.ts';
import { coversHost, daysLeft, namesOf, type TlsFiles } from './tls-files.ts';

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
  const isWildcard = host === '::' || host === '0.0.0.0';
  const name = isWildcard ? (namesOf(certificate).find((candidate) => isPlainName(candidate)) ?? 'localhost') : host;
  const reachable = isWildcard && coversHost(certificate, 'localhost') ? 'localhost' : name;
  return `https://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

function isPlainName(name: string): boolean {
  return !name.includes('*');
}
