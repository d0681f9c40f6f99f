import type { X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import type { Config } from '../config.ts';
import type { Logger } from '../observability/logger.ts';
import { curlTrust } from './curl.ts';
import { coversHost, daysLeft, namesOf } from './certificate.ts';
import type { TlsFiles } from './tls-files.ts';

/** For the group, and for everybody. */
const OTHERS_READ = 0o044;

/** The start-up line: where the service is, with what certificate, and a command to try it by. */
export function announce(logger: Logger, url: string, { files, config, now }: TlsState): void {
  const trust = curlTrust(files.certificate, config.tlsCertFile, new URL(url).hostname);
  logger.info(
    {
      url,
      certificate: describeCertificate({ files, config, now }),
      try: ['curl', trust, `${url}/messages`].filter(Boolean).join(' '),
    },
    `listening on ${url}`,
  );
  warnOfTls(logger, { files, config, now });
}

/** The certificate that the service has come to show. */
export interface TlsState {
  readonly files: TlsFiles;
  readonly config: Config;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

export function describeCertificate({ files: { certificate }, config, now }: TlsState): Record<string, unknown> {
  return { file: config.tlsCertFile, names: namesOf(certificate), daysLeft: daysLeft(certificate, now) };
}

/** What works, but hardly as it is meant. */
export function warnOfTls(logger: Logger, { files, config, now }: TlsState): void {
  const { tlsCertFile, tlsKeyFile } = config;
  if (daysLeft(files.certificate, now) < 0) {
    logger.warn({ file: tlsCertFile }, 'the certificate has expired: clients that verify it will refuse it');
  }
  const mode = statSync(tlsKeyFile, { throwIfNoEntry: false })?.mode ?? 0;
  if ((mode & OTHERS_READ) !== 0) {
    logger.warn(
      { file: tlsKeyFile, mode: (mode & 0o777).toString(8) },
      'TLS_KEY_FILE can be read by others than its owner: chmod 600 would keep the key private',
    );
  }
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
