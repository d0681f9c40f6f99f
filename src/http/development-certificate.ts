import { randomBytes, type X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DAY_MS, daysLeft, isSelfSigned } from './certificate.ts';

/** Marks, as the certificate's organisation, what was made here and may therefore be replaced here. */
const DEVELOPMENT_ORGANISATION = 'Hashpost development certificate';
const LIFETIME_DAYS = 365;
const RENEWAL_DAYS = 30;

/** Whether it was made here and is in its last days. */
export function isDueDevelopmentCertificate(certificate: X509Certificate, now: number): boolean {
  const isDue = daysLeft(certificate, now) < RENEWAL_DAYS;
  return isDue && certificate.subject.includes(`O=${DEVELOPMENT_ORGANISATION}`) && isSelfSigned(certificate);
}

/** ECDSA P-256, for this machine's own names only, and no authority over any other certificate. */
export async function createDevelopmentCertificate(certFile: string, keyFile: string, now: number): Promise<void> {
  // Only needed once a year, and slow to load.
  const { generate } = await import('selfsigned');
  const { cert, private: key } = await generate(
    [
      { name: 'commonName', value: 'localhost' },
      { name: 'organizationName', value: DEVELOPMENT_ORGANISATION },
      // Another subject each time: of several trusted certificates with one subject, OpenSSL looks only at the first.
      { shortName: 'OU', value: randomBytes(8).toString('hex') },
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
  // Of several processes that start together, the one that has made the key makes the certificate.
  // The last line has an end, so that several can be put into one file by `cat`.
  if (createFile(keyFile, key, 0o600)) replaceFile(certFile, cert.trimEnd() + '\n', 0o644);
}

/** Makes a new pair in the place of one that was made here. */
export async function renewDevelopmentCertificate(certFile: string, keyFile: string, now: number): Promise<void> {
  unlinkSync(keyFile);
  await createDevelopmentCertificate(certFile, keyFile, now);
}

/** How long another process may take between its key and its certificate. */
const OTHER_PROCESS_MS = 1000;

/** For another process that is just making the pair. */
export async function waitForFile(file: string): Promise<void> {
  const deadline = performance.now() + OTHER_PROCESS_MS;
  while (!existsSync(file) && performance.now() < deadline) await sleep(20);
}

/** @returns whether the file is ours; it is another's when it was there already. */
function createFile(file: string, content: string, mode: number): boolean {
  mkdirSync(dirname(file), { recursive: true });
  try {
    writeFileSync(file, content, { mode, flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Whoever reads meanwhile sees no file, or the old one, or the whole new one. */
function replaceFile(file: string, content: string, mode: number): void {
  const temporary = `${file}.${process.pid}.new`;
  writeFileSync(temporary, content, { mode });
  renameSync(temporary, file);
}
