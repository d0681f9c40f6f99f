import { availableParallelism } from 'node:os';
import { type ConfigError, parseConfig } from '../src/config.ts';

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    parseConfig(env);
    return [];
  } catch (error) {
    return (error as ConfigError).faults;
  }
}

test('the defaults are those of the contract', () => {
  expect(parseConfig({ PATH: '/bin', HOME: '/root' })).toEqual({
    port: 5000,
    host: '::',
    store: { kind: 'sqlite', path: 'data/messages.db' },
    followers: [],
    poolSize: 10,
    tlsCertFile: 'ssl/server.crt',
    tlsKeyFile: 'ssl/server.key',
    workers: 1,
    maxConnections: 10_000,
    drainDelayMs: 1000,
    maxMessageBytes: 1_048_576,
    messageCacheBytes: 8_388_608,
    metricsPort: undefined,
    metricsHost: '127.0.0.1',
    logLevel: 'info',
    corsOrigins: ['https://studio.apollographql.com'],
    trustedProxies: [],
  });
});

test.each([
  ['DATABASE_URL', 'file:/var/lib/x.db', 'store', { kind: 'sqlite', path: '/var/lib/x.db' }],
  ['DATABASE_URL', 'file:///var/lib/x.db', 'store', { kind: 'sqlite', path: '/var/lib/x.db' }],
  ['DATABASE_URL', 'file:./my data.db', 'store', { kind: 'sqlite', path: './my data.db' }],
  ['DATABASE_URL', 'memory:', 'store', { kind: 'memory' }],
  ['DATABASE_URL', 'postgres://u:p%40@db/x', 'store', { kind: 'postgres', url: 'postgres://u:p%40@db/x' }],
  ['DATABASE_URL', 'postgresql://db:6432/x', 'store', { kind: 'postgres', url: 'postgresql://db:6432/x' }],
  ['WORKERS', 'auto', 'workers', availableParallelism()],
  ['WORKERS', '3', 'workers', 3],
  ['CORS_ORIGINS', '', 'corsOrigins', []],
  [
    'CORS_ORIGINS',
    'https://a.example, http://localhost:3000',
    'corsOrigins',
    ['https://a.example', 'http://localhost:3000'],
  ],
  [
    'TRUSTED_PROXIES',
    '127.0.0.1, 10.0.0.0/8,::1,fd00::/64,0.0.0.0/1',
    'trustedProxies',
    ['127.0.0.1', '10.0.0.0/8', '::1', 'fd00::/64', '0.0.0.0/1'],
  ],
  ['TRUSTED_PROXIES', '', 'trustedProxies', []],
  ['HOST', '0.0.0.0', 'host', '0.0.0.0'],
  ['METRICS_PORT', '', 'metricsPort', undefined],
  ['METRICS_PORT', '9464', 'metricsPort', 9464],
  ['METRICS_HOST', '::1', 'metricsHost', '::1'],
  ['LOG_LEVEL', 'silent', 'logLevel', 'silent'],
] as const)('%s=%s', (variable, text, name, value) => {
  expect(parseConfig({ [variable]: text })[name]).toEqual(value);
});

test.each([
  ['PORT', ['', 'x', '-1', '65536', '5000.5', '0x10', ' 5000', '1e3']],
  ['HOST', ['', 'a b', 'https://x']],
  ['METRICS_PORT', ['x', '-1', '65536', ' ', '9464 ']],
  ['METRICS_HOST', ['', 'a b', 'https://x']],
  [
    'DATABASE_URL',
    [
      '',
      'file:',
      'messages.db',
      'memory',
      'memory:x',
      'file::memory:',
      'file:file:x',
      'mysql://x',
      'file://host/x',
      'file:x?mode=ro',
    ],
  ],
  [
    'DATABASE_URL',
    ['postgres:', 'postgres://', 'postgres://db', 'postgres://db/', 'postgres:///x', 'postgres://db/x/y'],
  ],
  ['DATABASE_POOL_SIZE', ['', '0', '-1', '1001', 'many']],
  ['WORKERS', ['', '0', '-1', 'all', '1.5', '257']],
  ['MAX_CONNECTIONS', ['', '0', '-1', '1e4', '1000001']],
  ['DRAIN_DELAY_MS', ['', '-1', '5001', '1s', '0.5']],
  ['MAX_MESSAGE_BYTES', ['', '0', '-1', '1MB', '1e6', 'Infinity', 'NaN', '33554433', '0x400']],
  ['LOG_LEVEL', ['', 'INFO', 'verbose', '30']],
  [
    'CORS_ORIGINS',
    ['*', 'example.com', 'https://a.example/', 'https://a.example/x', 'https://a.example,', 'null', 'file://'],
  ],
  [
    'TRUSTED_PROXIES',
    [
      ...['true', '1', '*', 'loopback', 'uniquelocal', 'nginx', 'localhost', '10.0.0.1,', ',', '10.0.0.1 10.0.0.2'],
      ...['10.0.0', '127.1', '0x7f000001', '010.0.0.1', '10.0.0.1:80', '[::1]', 'fe80::1%eth0', '::1/129'],
      ...['0.0.0.0/0', '::/0', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/08', '10.0.0.0/255.0.0.0', '10.0.0.0/8/8'],
    ],
  ],
])('%s is never silently defaulted', (variable, texts) => {
  for (const text of texts)
    expect([text, faultsOf({ [variable]: text })]).toEqual([text, [expect.stringContaining(`${variable} must be `)]]);
});

test('all faults are told at once', () => {
  expect(faultsOf({ PORT: 'x', LOG_LEVEL: 'loud', MAX_MESSAGE_BYTE: '5', TLS_CERT_FILE: 'x.crt' })).toEqual([
    'PORT must be a whole number from 0 to 65535',
    'LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent',
    'TLS_CERT_FILE and TLS_KEY_FILE must be set together',
    'MAX_MESSAGE_BYTE is not a setting; did you mean MAX_MESSAGE_BYTES?',
  ]);
});

test('a memory store cannot be shared by processes', () => {
  expect(faultsOf({ DATABASE_URL: 'memory:', WORKERS: '2' })).toHaveLength(1);
});

test('followers are for PostgreSQL', () => {
  const urls = 'postgres://a/x, postgres://b/x';
  expect(parseConfig({ DATABASE_URL: 'postgres://p/x', READ_DATABASE_URLS: urls }).followers).toEqual([
    'postgres://a/x',
    'postgres://b/x',
  ]);
  expect(faultsOf({ READ_DATABASE_URLS: urls })).toEqual([expect.stringContaining('READ_DATABASE_URLS must be empty')]);
  expect(faultsOf({ DATABASE_URL: 'postgres://p/x', READ_DATABASE_URLS: 'file:x.db' })).toHaveLength(1);
});

test.each([
  'DATABASE_URI',
  'READ_DATABASE_URL',
  'LOGLEVEL',
  'CORS_ORIGIN',
  'TLS_CERT',
  'TLS_KEY',
  'MAX_MESSAGE_SIZE',
  'WORKER',
  'log_level',
])('%s is taken for a mistake', (name) => {
  expect(faultsOf({ [name]: 'x' })).toHaveLength(1);
});

test.each([
  'PATH',
  'HOSTNAME',
  'PORTS',
  'NODE_ENV',
  'npm_config_loglevel',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'HASHPOST_PORT_5000_TCP',
  'APOLLO_KEY',
])('%s belongs to somebody else', (name) => {
  expect(faultsOf({ [name]: 'x' })).toEqual([]);
});

test('the result cannot be changed', () => {
  expect(Object.isFrozen(parseConfig({}))).toBe(true);
});
