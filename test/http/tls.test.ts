import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { parseConfig, type Config } from '../../src/config.ts';
import { urlOf } from '../../src/http/announce.ts';
import { curlTrust } from '../../src/http/curl.ts';
import { daysLeft, isSelfSigned, namesOf } from '../../src/http/certificate.ts';
import { loadTlsFiles } from '../../src/http/tls-files.ts';
import { disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { createTestCertificate, startService } from '../support/service.ts';

const DAY_MS = 86_400_000;
const cwd = process.cwd();
afterEach(async () => {
  process.chdir(cwd);
  await disposeLeftovers();
});

/** The settings' defaults, in an empty folder. */
function inNewFolder(): Config {
  process.chdir(temporaryFolder());
  return parseConfig({});
}

function withFiles(certFile: string, keyFile: string): Config {
  return parseConfig({ TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile });
}

test('the first start makes a certificate: P-256, for this machine alone, the key private, no authority', async () => {
  const { certificate, key } = await loadTlsFiles(inNewFolder(), Date.now());
  expect(createPrivateKey(key).asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
  expect(namesOf(certificate)).toEqual(['localhost', '127.0.0.1', '::1']);
  expect([certificate.ca, isSelfSigned(certificate), daysLeft(certificate, Date.now())]).toEqual([false, true, 364]);
  expect(statSync('ssl/server.key').mode & 0o777).toBe(0o600);
});

test('later starts keep it until its last 30 days, and then renew it', async () => {
  const config = inNewFolder();
  const now = Date.now();
  const { cert } = await loadTlsFiles(config, now);
  expect((await loadTlsFiles(config, now + 334 * DAY_MS)).cert).toBe(cert);
  const renewed = await loadTlsFiles(config, now + 336 * DAY_MS);
  expect(renewed.cert).not.toBe(cert);
  expect(daysLeft(renewed.certificate, now + 336 * DAY_MS)).toBeGreaterThan(360);
});

test("somebody's own certificate is never replaced, not even at the default place", async () => {
  const config = inNewFolder();
  execFileSync('mkdir', ['ssl']);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1', '-subj', '/CN=own', '-keyout', 'ssl/server.key', '-out', 'ssl/server.crt'], { stdio: 'ignore' }); // prettier-ignore
  const own = readFileSync('ssl/server.crt', 'utf8');
  expect((await loadTlsFiles(config, Date.now())).cert).toBe(own);
});

test('what cannot be used is refused by the name of its setting', async () => {
  const { certFile, keyFile } = await createTestCertificate();
  const other = await createTestCertificate();
  const folder = temporaryFolder();
  const [junk, missing, encrypted] = [join(folder, 'junk'), join(folder, 'missing'), join(folder, 'encrypted')];
  writeFileSync(junk, 'junk');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(encrypted, privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }));
  const cases: [string, string, RegExp][] = [
    [missing, keyFile, /TLS_CERT_FILE .*missing.* cannot be read/],
    [certFile, missing, /TLS_KEY_FILE .*missing.* cannot be read/],
    [junk, keyFile, /TLS_CERT_FILE .*junk.* is not a PEM certificate/],
    [certFile, junk, /TLS_KEY_FILE .*junk.* is not a PEM private key/],
    [certFile, encrypted, /TLS_KEY_FILE .* without a passphrase/],
    [certFile, other.keyFile, /is not the key of TLS_CERT_FILE/],
  ];
  for (const [cert, key, reason] of cases) {
    await expect(loadTlsFiles(withFiles(cert, key), Date.now())).rejects.toThrow(reason);
  }
});

test('half a pair at the default place is not completed with a file that does not fit', async () => {
  const config = inNewFolder();
  await loadTlsFiles(config, Date.now());
  copyFileSync('ssl/server.key', 'kept.key');
  execFileSync('rm', ['ssl/server.crt']);
  await expect(loadTlsFiles(config, Date.now())).rejects.toThrow(/only one is there: delete it/);
  expect(readFileSync('ssl/server.key')).toEqual(readFileSync('kept.key'));
});

test('OpenSSL accepts it as its own authority, strictly too, for its names only', async () => {
  const { certFile } = await createTestCertificate();
  for (const name of [
    ['-verify_hostname', 'localhost'],
    ['-verify_ip', '127.0.0.1'],
    ['-verify_ip', '::1'],
  ]) {
    const args = ['verify', '-x509_strict', '-purpose', 'sslserver', ...name, '-CAfile', certFile, certFile];
    expect(execFileSync('openssl', args, { encoding: 'utf8' })).toContain(': OK');
  }
  const wrong = ['verify', '-verify_hostname', 'example.com', '-CAfile', certFile, certFile];
  expect(() => execFileSync('openssl', wrong, { stdio: 'pipe' })).toThrow();
});

test('curl is told what it needs, and the URL is one that the certificate is good for', async () => {
  const { certFile, ca } = await createTestCertificate();
  const certificate = new X509Certificate(ca);
  expect(curlTrust(certificate, certFile, 'localhost')).toBe(`--cacert ${certFile}`);
  expect(curlTrust(certificate, "/it's here.crt", '[::1]')).toBe(`--cacert '/it'\\''s here.crt'`);
  expect(curlTrust(certificate, certFile, 'example.com')).toBe('-k');
  const tls = { cert: ca, key: '', certificate };
  expect(urlOf('::', 5000, tls)).toBe('https://localhost:5000');
  expect(urlOf('127.0.0.1', 5000, tls)).toBe('https://127.0.0.1:5000');
  expect(urlOf('::1', 5000, tls)).toBe('https://[::1]:5000');
});

test.each([
  ['TLSv1.2', undefined, 'TLSv1.2'],
  ['TLSv1.3', undefined, 'TLSv1.3'],
  ['TLSv1.1', undefined, 'refused'],
  ['TLSv1', undefined, 'refused'],
  ['TLSv1.2', 'ECDHE-ECDSA-AES128-SHA256', 'refused'],
  ['TLSv1.2', 'AES128-GCM-SHA256', 'refused'],
] as const)('%s with %s: %s', async (version, ciphers, outcome) => {
  const { url, ca } = await startService();
  const { hostname: host, port } = new URL(url);
  const protocol = await new Promise<string>((resolve) => {
    // Security level 0, so that the client would go along with what the server must not.
    const options = {
      host,
      port: Number(port),
      ca,
      minVersion: version,
      maxVersion: version,
      ciphers: `${ciphers ?? 'DEFAULT'}:@SECLEVEL=0`,
    } as const;
    const socket: TLSSocket = connect(options, () => {
      resolve(socket.getProtocol() ?? '');
      socket.destroy();
    });
    socket.on('error', () => resolve('refused'));
  });
  expect(protocol).toBe(outcome);
});
