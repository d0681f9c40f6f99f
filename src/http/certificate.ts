import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

/** What there is to know about a certificate. */

export const DAY_MS = 24 * 60 * 60 * 1000;

/** Whole days until the certificate ends; negative when it has ended. */
export function daysLeft(certificate: X509Certificate, now: number): number {
  return Math.floor((certificate.validToDate.getTime() - now) / DAY_MS);
}

/** The names and addresses that the certificate is good for, as clients write them. */
export function namesOf(certificate: X509Certificate): string[] {
  const names = (certificate.subjectAltName ?? '').split(', ').map((name) => name.replace(/^(DNS|IP Address):/, ''));
  return names.map((name) => (name === '0:0:0:0:0:0:0:1' ? '::1' : name)).filter((name) => name !== '');
}

/** Whether a client that trusts the certificate's issuer accepts it for this host name or address. */
export function coversHost(certificate: X509Certificate, host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '');
  return (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined;
}

/** Not `checkIssued`: that wants a certificate with authority over others, which a development certificate has not. */
export function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.issuer === certificate.subject && certificate.verify(certificate.publicKey);
}
