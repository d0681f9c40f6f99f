import {
  integerFrom,
  parseDatabaseUrl,
  parseHost,
  parseMetricsPort,
  parseOrigins,
  parsePath,
  parseReadDatabaseUrls,
  parseProxies,
  parseWorkers,
} from './setting-values.ts';
import { isMisspelling } from './spelling.ts';

/** One setting: an environment variable, its default as one would type it, and how its text becomes a value. */
interface Setting<Value> {
  readonly variable: string;
  readonly default: string;
  /** Markdown, for the README and --help. */
  readonly meaning: string;
  /** @throws Error with the end of the sentence "VARIABLE must be …". */
  readonly parse: (text: string) => Value;
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The settings table: one row each, in the order of the README. */
const settings = {
  port: setting('PORT', '5000', 'port where HTTPS listens; 0 takes a free one', integerFrom(0, 65_535)),
  host: setting(
    'HOST',
    '::',
    'address where HTTPS listens; `::` is every address, IPv4 too; `0.0.0.0` where there is no IPv6',
    parseHost,
  ),
  store: setting(
    'DATABASE_URL',
    'file:data/messages.db',
    'where messages are kept: `file:PATH` (SQLite), `postgres://USER@HOST/NAME`, or `memory:` (gone at exit)',
    parseDatabaseUrl,
  ),
  followers: setting(
    'READ_DATABASE_URLS',
    '',
    'read-only followers of a `postgres://` database, their URLs separated by commas; they answer lookups',
    parseReadDatabaseUrls,
  ),
  poolSize: setting(
    'DATABASE_POOL_SIZE',
    '10',
    'connections of each process to each `postgres://` database, at most; one more asks whether it is well',
    integerFrom(1, 1000),
  ),
  tlsCertFile: setting(
    'TLS_CERT_FILE',
    'ssl/server.crt',
    'certificate chain, PEM; made on first start where it and the key are absent at the default place',
    parsePath,
  ),
  tlsKeyFile: setting('TLS_KEY_FILE', 'ssl/server.key', 'private key of the certificate, PEM', parsePath),
  workers: setting('WORKERS', '1', 'processes sharing the port; `auto` is one per core', parseWorkers),
  maxConnections: setting(
    'MAX_CONNECTIONS',
    '10000',
    'connections of each process, at most; fewer where the limit of open files (`ulimit -n`) has no room for them',
    integerFrom(1, 1_000_000),
  ),
  drainDelayMs: setting('DRAIN_DELAY_MS', '1000', 'delay from not ready to closed when stopping', integerFrom(0, 5000)),
  maxMessageBytes: setting(
    'MAX_MESSAGE_BYTES',
    '1048576',
    'limit of one message in bytes of UTF-8',
    integerFrom(1, 32 * 1024 * 1024),
  ),
  messageCacheBytes: setting(
    'MESSAGE_CACHE_BYTES',
    '8388608',
    'memory of each process for messages that were read lately; 0 for none',
    integerFrom(0, 1024 ** 4),
  ),
  metricsPort: setting(
    'METRICS_PORT',
    '',
    'port where `/metrics` and `/callers` are served in plain HTTP; 0 takes a free one; empty for none',
    parseMetricsPort,
  ),
  metricsHost: setting('METRICS_HOST', '127.0.0.1', 'address where metrics are served', parseHost),
  logLevel: setting('LOG_LEVEL', 'info', `least severe level that is logged: ${LOG_LEVELS.join(', ')}`, parseLogLevel),
  corsOrigins: setting(
    'CORS_ORIGINS',
    'https://studio.apollographql.com',
    'web origins whose pages may call the API, separated by commas; empty for none',
    parseOrigins,
  ),
  trustedProxies: setting(
    'TRUSTED_PROXIES',
    '',
    'proxies whose `X-Forwarded-For` is believed: addresses and CIDR blocks, separated by commas; empty for none',
    parseProxies,
  ),
};

type Settings = typeof settings;
export type Config = { readonly [Name in keyof Settings]: ReturnType<Settings[Name]['parse']> };

/** Every fault of the configuration at once; the process ends with 78 (EX_CONFIG of sysexits.h). */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`the settings are not valid:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

/**
 * Environment variables to configuration. Nothing malformed is silently replaced by a default.
 *
 * @throws ConfigError with all faults: malformed values, settings that contradict each other, misspelt names.
 */
export function parseConfig(env: NodeJS.ProcessEnv): Config {
  const faults: string[] = [];
  const entries = Object.entries<Setting<unknown>>(settings).map(([name, { variable, default: text, parse }]) => {
    try {
      return [name, parse(env[variable] ?? text)];
    } catch (error) {
      faults.push(`${variable} must be ${(error as Error).message}`);
      return [name, undefined];
    }
  });
  const config = Object.freeze(Object.fromEntries(entries)) as Partial<Config>;
  faults.push(...findContradictions(config, env), ...findMisspelt(env));
  if (faults.length > 0) throw new ConfigError(faults);
  return config as Config;
}

/** The rows as text, for --help and the README. */
export function describeSettings(): readonly { variable: string; default: string; meaning: string }[] {
  return Object.values<Setting<unknown>>(settings).map(({ variable, default: text, meaning }) => ({
    variable,
    default: text,
    meaning,
  }));
}

/** Whether certificate and key are both where Hashpost may make them. */
export function hasDefaultTlsFiles({ tlsCertFile, tlsKeyFile }: Config): boolean {
  return tlsCertFile === settings.tlsCertFile.default && tlsKeyFile === settings.tlsKeyFile.default;
}

function setting<Value>(
  variable: string,
  text: string,
  meaning: string,
  parse: (text: string) => Value,
): Setting<Value> {
  return { variable, default: text, meaning, parse };
}

function findContradictions({ store, followers, workers }: Partial<Config>, env: NodeJS.ProcessEnv): string[] {
  const faults = [];
  if (store && store.kind !== 'postgres' && followers && followers.length > 0) {
    faults.push('READ_DATABASE_URLS must be empty unless DATABASE_URL is postgres://…, the only one with followers');
  }
  if (store?.kind === 'memory' && workers !== undefined && workers > 1) {
    faults.push('WORKERS must be 1 with DATABASE_URL=memory:, because processes do not share their memory');
  }
  const [cert, key] = [settings.tlsCertFile.variable, settings.tlsKeyFile.variable];
  if ((env[cert] === undefined) !== (env[key] === undefined)) faults.push(`${cert} and ${key} must be set together`);
  return faults;
}

/** Names that nobody but Hashpost would set here: one of its families, or one or two letters away from a setting. */
function findMisspelt(env: NodeJS.ProcessEnv): string[] {
  const known = Object.values(settings).map(({ variable }) => variable);
  return Object.keys(env)
    .filter((name) => !known.includes(name))
    .flatMap((name) => {
      const meant = known.find((variable) => isMisspelling(name, variable));
      if (meant !== undefined) return [`${name} is not a setting; did you mean ${meant}?`];
      return /^(TLS|CORS|MAX_MESSAGE)_/.test(name) ? [`${name} is not a setting; run with --help for the list`] : [];
    });
}

function parseLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text);
  if (level !== undefined) return level;
  throw new Error(`one of ${LOG_LEVELS.join(', ')}`);
}
