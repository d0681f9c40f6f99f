import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createApp, type App, type Overrides } from '../../src/app/app.ts';
import { parseConfig } from '../../src/config.ts';
import { createDevelopmentCertificate } from '../../src/http/development-certificate.ts';
import { createLog } from '../../src/observability/logger.ts';
import { Client } from './client.ts';
import { dispose, temporaryFolder } from './leftovers.ts';
import { createPostgres, type Postgres } from './postgres.ts';

/** The stores that suites loop over; STORES=memory,file selects. */
export const STORES = (process.env['STORES'] ?? 'memory,file,postgres').split(',');

/** Of a test file, if it needs one. */
let cluster: Promise<Postgres> | undefined;
afterAll(async () => (await cluster)?.remove());

/** A DATABASE_URL for a fresh store of one kind. */
export async function freshDatabaseUrl(store: string): Promise<string> {
  if (store === 'memory') return 'memory:';
  if (store === 'file') return `file:${join(temporaryFolder(), 'messages.db')}`;
  if (store === 'postgres') return (await (cluster ??= createPostgres())).createDatabase();
  throw new Error(`STORES knows memory, file and postgres, not ${store}`);
}

export interface TestCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly ca: string;
}

/** Made as the first start makes it. */
export async function createTestCertificate(now = Date.now()): Promise<TestCertificate> {
  const folder = temporaryFolder();
  const [certFile, keyFile] = [join(folder, 'server.crt'), join(folder, 'server.key')];
  await createDevelopmentCertificate(certFile, keyFile, now);
  return { certFile, keyFile, ca: readFileSync(certFile, 'utf8') };
}

/** Settings for a service of its own process on a free port of the loopback, with a database in its folder. */
export function settingsFor(
  { certFile, keyFile }: TestCertificate,
  more: Record<string, string> = {},
): Record<string, string> {
  return {
    PORT: '0',
    HOST: '127.0.0.1',
    DATABASE_URL: 'file:x.db',
    TLS_CERT_FILE: certFile,
    TLS_KEY_FILE: keyFile,
    DRAIN_DELAY_MS: '0',
    ...more,
  };
}

export interface Service {
  readonly app: App;
  readonly client: Client;
  readonly url: string;
  readonly ca: string;
  /** Every log line so far, as text. */
  readonly log: () => string;
  readonly logLines: () => Record<string, unknown>[];
}

export interface ServiceOptions {
  readonly store?: string;
  readonly env?: Record<string, string>;
  readonly overrides?: Overrides;
}

/** The real service in this process, over HTTPS on a free port, with a log that is kept. */
export async function startService({
  store = 'memory',
  env = {},
  overrides = {},
}: ServiceOptions = {}): Promise<Service> {
  const { certFile, keyFile, ca } = await createTestCertificate();
  const config = parseConfig({
    PORT: '0',
    HOST: '127.0.0.1',
    DATABASE_URL: await freshDatabaseUrl(store),
    TLS_CERT_FILE: certFile,
    TLS_KEY_FILE: keyFile,
    LOG_LEVEL: 'trace',
    ...env,
  });
  let log = '';
  const destination = { write: (line: string) => void (log += line) };
  // The event loop is also that of the test, which may keep it for long.
  const overload = { admit: () => true };
  const app = createApp(config, { log: createLog(config.logLevel, destination), overload, ...overrides });
  await app.start();
  const client = new Client(app.url, ca);
  dispose(async () => {
    client.close();
    await app.stop();
  });
  return {
    app,
    client,
    url: app.url,
    ca,
    log: () => log,
    logLines: () =>
      log
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}
