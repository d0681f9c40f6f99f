import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname } from 'node:path';
import { hasDefaultTlsFiles, type Config } from '../config.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** Marks, as the certificate's organisation, what was made here and may therefore be replaced here. */
const DEVELOPMENT_ORGANISATION = 'Hashpost development certificate';
const LIFETIME_DAYS = 365;
const RENEWAL_DAYS = 30;

export interface TlsFiles {
  /** PEM. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  readonly certificate: X509Certificate;
}

/**
 * Reads certificate and key; makes or renews the development certificate at the default place.
 *
 * @param now Milliseconds since the Unix epoch.
 * @throws Error that names the setting or file at fault: missing, unreadable, not PEM, not a pair.
 */
export async function loadTlsFiles(config: Config, now: number): Promise<TlsFiles> {
  const { tlsCertFile: certFile, tlsKeyFile: keyFile } = config;
  const isOurs = hasDefaultTlsFiles(config);
  if (isOurs && !existsSync(certFile) && !existsSync(keyFile))
    await createDevelopmentCertificate(certFile, keyFile, now);
  const files = readTlsFiles(certFile, keyFile);
  if (!isOurs || !isDueDevelopmentCertificate(files.certificate, now)) return files;
  await createDevelopmentCertificate(certFile, keyFile, now);
  return readTlsFiles(certFile, keyFile);
}

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

function isDueDevelopmentCertificate(certificate: X509Certificate, now: number): boolean {
  const isOurs = certificate.subject.includes(`O=${DEVELOPMENT_ORGANISATION}`) && isSelfSigned(certificate);
  return isOurs && daysLeft(certificate, now) < RENEWAL_DAYS;
}

function readTlsFiles(certFile: string, keyFile: string): TlsFiles {
  const cert = read('TLS_CERT_FILE', certFile);
  const key = read('TLS_KEY_FILE', keyFile);
  const certificate = parse('TLS_CERT_FILE', certFile, 'a PEM certificate', () => new X509Certificate(cert));
  const privateKey = parse('TLS_KEY_FILE', keyFile, 'a PEM private key without a passphrase', () =>
    createPrivateKey(key),
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Error(`TLS_KEY_FILE (${keyFile}) is not the key of TLS_CERT_FILE (${certFile})`);
  }
  return { cert, key, certificate };
}

function read(variable: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`${variable} (${file}) cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** The parsers' own errors say nothing that helps, and might quote the key. */
function parse<Value>(variable: string, file: string, kind: string, parser: () => Value): Value {
  try {
    return parser();
  } catch {
    throw new Error(`${variable} (${file}) is not ${kind}`);
  }
}

/** ECDSA P-256, for this machine's own names only, and no authority over any other certificate. */
export async function createDevelopmentCertificate(certFile: string, keyFile: string, now: number): Promise<void> {
  // Only needed once a year, and slow to load.
  const { generate } = await import('selfsigned');
  const { cert, private: key } = await generate(
    [
      { name: 'commonName', value: 'localhost' },
      { name: 'organizationName', value: DEVELOPMENT_ORGANISATION },
    ],
    {
      keyType: 'ec',
      curve: 'P-256',
      algorithm: 'sha256',
      // A little early, for clients whose clock is slow.
      notBeforeDate: new Date(now - DAY_MS),
      notAfterDate: new Date(now + LIFETIME_DAYS * DAY_MS),
      extensions: [
        { name: 'basicConstraints', cA: false, critical: true },
        { name: 'keyUsage', digitalSignature: true, critical: true },
        { name: 'extKeyUsage', serverAuth: true },
        {
          name: 'subjectAltName',
          altNames: [
            { type: 2, value: 'localhost' },
            { type: 7, ip: '127.0.0.1' },
            { type: 7, ip: '::1' },
          ],
        },
      ],
    },
  );
  replaceFile(keyFile, key, 0o600);
  replaceFile(certFile, cert, 0o644);
}

/** Whoever reads meanwhile sees the old file or the new one, never half of one. */
function replaceFile(file: string, content: string, mode: number): void {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.new`;
  writeFileSync(temporary, content, { mode, flag: 'w' });
  chmodSync(temporary, mode);
  renameSync(temporary, file);
}
