import type { X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import { coversHost, isSelfSigned } from './certificate.ts';

/**
 * What curl needs on its command line to reach this certificate's server by this host name or address: nothing where
 * an authority vouches for it, the certificate itself where it vouches for itself, and no verification where it is
 * not made for that name.
 */
export function curlTrust(certificate: X509Certificate, certFile: string, host: string): string {
  if (!coversHost(certificate, host)) return '-k';
  return isSelfSigned(certificate) ? `--cacert ${shellWord(resolve(certFile))}` : '';
}

function shellWord(text: string): string {
  return /^[\w./@%+=:,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
