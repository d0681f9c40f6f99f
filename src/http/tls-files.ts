import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { hasDefaultTlsFiles, type Config } from '../config.ts';
import {
  createDevelopmentCertificate,
  isDueDevelopmentCertificate,
  renewDevelopmentCertificate,
  waitForFile,
} from './development-certificate.ts';

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
  const isDefault = hasDefaultTlsFiles(config);
  if (isDefault && !existsSync(certFile) && !existsSync(keyFile)) {
    await createDevelopmentCertificate(certFile, keyFile, now);
  }
  if (isDefault && existsSync(keyFile)) await waitForFile(certFile);
  if (isDefault && existsSync(certFile) !== existsSync(keyFile)) {
    throw new Error(`of ${certFile} and ${keyFile} only one is there: delete it to have both made anew`);
  }
  return reloadTlsFiles(config, now);
}

/** The same for a service that runs: files that are gone are an error, and no reason to make others. */
export async function reloadTlsFiles(config: Config, now: number): Promise<TlsFiles> {
  const { tlsCertFile: certFile, tlsKeyFile: keyFile } = config;
  const files = readTlsFiles(certFile, keyFile);
  if (!isDueForRenewal(files, config, now)) return files;
  await renewDevelopmentCertificate(certFile, keyFile, now);
  return readTlsFiles(certFile, keyFile);
}

/** Whether it is for Hashpost to make a new pair in the place of this one. */
export function isDueForRenewal({ certificate }: TlsFiles, config: Config, now: number): boolean {
  return hasDefaultTlsFiles(config) && isDueDevelopmentCertificate(certificate, now);
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
  // What TLS refuses all the same: a key that is too weak, or a chain with something else in it.
  parse('TLS_CERT_FILE', certFile, 'a certificate chain that TLS can use', () => createSecureContext({ cert, key }));
  return { cert, key, certificate };
}

function read(variable: string, file: string): string {
  try {
    // Reading a pipe would wait for somebody to write to it.
    if (!statSync(file).isFile()) throw new Error('it is no file');
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
