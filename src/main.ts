#!/usr/bin/env node
import cluster from 'node:cluster';
import { isatty } from 'node:tty';
import { ConfigError, describeSettings, parseConfig, type Config } from './config.ts';
import { createLog, type Log, type Logger } from './observability/logger.ts';

/** EX_CONFIG of sysexits.h. */
const EXIT_CONFIG = 78;

const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** However bad things are, the process is gone this long after it was told to stop. */
const STOP_LIMIT_MS = 10_000;

/** The file descriptor: `process.stdin` would begin to read it. */
const STDIN = 0;

// What cannot be said there must not end what it is about.
process.stderr.on('error', () => undefined);

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const [argument] = process.argv.slice(2);
if (major < 24 || (major === 24 && minor < 15)) {
  // What is imported further down needs node:sqlite, which older versions do not have.
  fail(`Node.js 24.15 or newer is needed, this is ${process.version}; use npm start or node_modules/.bin/node`, 1);
} else if (argument === '--help' || argument === '-h') {
  process.stdout.write(await help());
} else if (argument !== undefined) {
  await command();
} else {
  await run();
}

/** Something else than the service; see commands/. */
async function command(): Promise<void> {
  try {
    const { runCommand } = await import('./commands/run-command.ts');
    const { env, stdout, stderr } = process;
    await runCommand(process.argv.slice(2), { env, stdout, stderr, listenForStop });
  } catch (error) {
    fail(messageOf(error), exitCodeOf(error));
  }
  process.exit(0);
}

/** Aborts, with the name of the signal, when one asks the process to stop. */
function listenForStop(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of STOP_SIGNALS) {
    process.on(signal, () => {
      limitStop();
      stopping.abort(signal);
    });
  }
  return stopping.signal;
}

async function run(): Promise<void> {
  try {
    const config = parseConfig(process.env);
    const log = createLog(config.logLevel);
    // Also while it starts, when there is nothing to be loaded again yet.
    onHangup(() => undefined);
    const serve = config.workers > 1 && cluster.isPrimary ? serveWithWorkers : serveAlone;
    await serve(config, log, untilTold(log.logger));
  } catch (error) {
    fail(messageOf(error), exitCodeOf(error));
  }
  process.exit(0);
}

/** Resolves when a signal asks the process to stop; rejects when something happened that no code was ready for. */
function untilTold(logger: Logger): Promise<NodeJS.Signals> {
  const told = Promise.withResolvers<NodeJS.Signals>();
  for (const signal of STOP_SIGNALS) {
    process.on(signal, () => {
      limitStop();
      told.resolve(signal);
    });
  }
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'uncaught exception');
    told.reject(new Error('stopped after an uncaught exception, see the log'));
  });
  told.promise.then(
    (signal) => {
      logger.info({ signal }, 'stopping');
    },
    // It may reject while the service still starts, before anybody waits for it.
    () => undefined,
  );
  return told.promise;
}

/** SIGHUP, except at a terminal: there it says that the terminal is closed, and ends the process. */
function onHangup(act: () => unknown): void {
  if (!isatty(STDIN)) process.on('SIGHUP', () => void act());
}

/** This process answers requests: the only one, or a worker. */
async function serveAlone(config: Config, log: Log, told: Promise<NodeJS.Signals>): Promise<void> {
  const { createApp } = await import('./app/app.ts');
  const app = createApp(config, { log, isWorker: cluster.isWorker });
  onHangup(() => app.reloadTls());
  await app.start();
  let delayMs = 0;
  try {
    const failed = app.failed.catch((error: unknown) => {
      log.logger.fatal({ err: error }, 'the store has failed');
      throw error;
    });
    const signal = await Promise.race([told, failed]);
    // Whoever presses Ctrl-C has no load balancer that must notice first.
    if (signal === 'SIGTERM') delayMs = config.drainDelayMs;
  } finally {
    limitStop();
    await app.stop(delayMs);
  }
}

/** This process keeps workers that do. */
async function serveWithWorkers(config: Config, { logger }: Log, told: Promise<NodeJS.Signals>): Promise<void> {
  const { announce, urlOf } = await import('./http/announce.ts');
  const { shareTls } = await import('./http/shared-tls.ts');
  const { WatchedTls } = await import('./http/watched-tls.ts');
  const { Workers } = await import('./processes/workers.ts');
  const tls = await WatchedTls.open({ config, logger, now: Date.now });
  shareTls(tls);
  onHangup(() => tls.reload());
  const metrics = await serveMetrics(config, logger);
  const workers = new Workers(logger);
  let signal: NodeJS.Signals = 'SIGTERM';
  try {
    const port = await workers.start(config.workers);
    announce(logger, urlOf(config.host, port, tls.current), { files: tls.current, config, now: Date.now() });
    signal = await Promise.race([told, workers.failed]);
  } finally {
    limitStop();
    await workers.stop(signal);
    await metrics?.[Symbol.asyncDispose]();
  }
}

async function serveMetrics(config: Config, logger: Logger): Promise<AsyncDisposable | undefined> {
  const { metricsPort: port, metricsHost: host, workers } = config;
  if (port === undefined) return undefined;
  const { publishWorkersMetrics } = await import('./observability/metrics/publish.ts');
  const { readVersion } = await import('./version.ts');
  return publishWorkersMetrics({ port, host, logger, workers, version: readVersion() });
}

function limitStop(): void {
  setTimeout(() => {
    fail(`did not stop within ${STOP_LIMIT_MS / 1000} s`, 1);
  }, STOP_LIMIT_MS).unref();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return EXIT_CONFIG;
  return error instanceof Error && 'exitCode' in error ? Number(error.exitCode) : 1;
}

function fail(message: string, exitCode: number): never {
  if (message !== '') process.stderr.write(`hashpost: ${message}\n`);
  process.exit(exitCode);
}

async function help(): Promise<string> {
  const { describeCommands } = await import('./commands/run-command.ts');
  const rows = describeSettings().map(
    ({ variable, default: text, meaning }) => `  ${variable}=${text}\n      ${meaning.replaceAll('`', '')}\n`,
  );
  return [
    'Usage: hashpost [--help] [<command> [--help] …]\n\n',
    'Keeps text messages under their SHA-256 and serves them over HTTPS, by REST and GraphQL. Without a command, it serves.\n\n',
    'Commands:\n\n',
    describeCommands(),
    '\n',
    'Settings are environment variables; these are their defaults:\n\n',
    ...rows,
  ].join('');
}
