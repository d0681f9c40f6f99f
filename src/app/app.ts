import 'reflect-metadata';
import type { Config } from '../config.ts';
import { createRoutes } from './routes.ts';
import { announce, urlOf } from '../http/announce.ts';
import { createClientAddressOf } from '../http/client-address.ts';
import { Listener, type ListenerOptions } from '../http/listener.ts';
import type { RequestObserver } from '../http/observe-requests.ts';
import { Overload, type Admission } from '../http/overload.ts';
import { createPolicies } from '../http/policies.ts';
import { createRequestHandler } from '../http/request-handler.ts';
import { createRespondError } from '../http/respond-error.ts';
import { ReceivedTls } from '../http/shared-tls.ts';
import type { ServedTls } from '../http/served-tls.ts';
import { Traffic } from '../http/traffic.ts';
import { WatchedTls, type WatchedTlsOptions } from '../http/watched-tls.ts';
import { MessageCache } from '../messages/message.cache.ts';
import type { MessageStore } from '../messages/message.store.ts';
import { accessLog } from '../observability/access-log.ts';
import { createLog, type Log, type Logger } from '../observability/logger.ts';
import { publishMetrics, type MetricsAddress } from '../observability/metrics/publish.ts';
import { Metrics } from '../observability/metrics/metrics.ts';
import { measureStore } from '../stores/measured-store.ts';
import { openStore } from '../stores/open-store.ts';
import { readVersion } from '../version.ts';

/** Draining takes no longer; the store closes within what is left of 10 seconds. */
const DRAIN_LIMIT_MS = 8000;

/** What a test may put in the place of the real thing. */
export interface Overrides {
  readonly log?: Log;
  /** Milliseconds since the Unix epoch. */
  readonly now?: () => number;
  /** Where the event loop is not the service's alone. */
  readonly overload?: Admission;
  readonly decorateStore?: (store: MessageStore) => MessageStore;
  /** Told of finished requests, beside the log and the metrics. */
  readonly observers?: readonly RequestObserver[];
  /** Whether there is a primary process, which says where the service listens and serves the metrics of all. */
  readonly isWorker?: boolean;
}

export interface App {
  /** Where the service listens, once it has started. */
  readonly url: string;
  /** Resolves when requests are answered; rejects with what keeps the service from it, holding nothing open. */
  start(): Promise<void>;
  /** Never resolves; rejects when the started service cannot do its work any more and should be stopped. */
  readonly failed: Promise<never>;
  /** Loads certificate and key again, now; what cannot be used is logged and changes nothing. Nothing before `start`. */
  reloadTls(): Promise<void>;
  /**
   * Is not ready any more, after `delayMs` (default 0) takes no new connections, finishes the requests under way, closes
   * the store. To be called once, after `start`.
   */
  stop(delayMs?: number): Promise<void>;
}

/** The composition root: everything is made here, from configuration, and handed to what needs it. */
export function createApp(config: Config, overrides: Overrides = {}): App {
  const { log = createLog(config.logLevel), now = Date.now, overload, observers = [] } = overrides;
  const { isWorker = false } = overrides;
  const { logger } = log;
  const decorateStore = overrides.decorateStore ?? ((store: MessageStore) => store);
  let url = '';
  let failed = new Promise<never>(() => undefined);
  let resources = new AsyncDisposableStack();
  let reloadTls = (): Promise<void> => Promise.resolve();
  let drainDelayMs = 0;

  async function start(): Promise<void> {
    await using opened = new AsyncDisposableStack();
    const tls = opened.adopt(await openTls(isWorker, { config, logger, now }), (served) => served.close());
    reloadTls = () => tls.reload();
    const store = opened.adopt(decorateStore(await openConfiguredStore(config, logger)), (open) => open.close());
    const metricsAddress = metricsAddressOf(config, logger);
    const metrics = metricsAddress && opened.use(new Metrics({ version: readVersion(), now }));
    const cache = new MessageCache(config.messageCacheBytes);
    const measured = metrics ? measureStore(store, metrics.recordStoreCall) : store;
    const traffic = new Traffic();
    const isStopping = (): boolean => traffic.isDraining;
    const parts = { config, logger, store: measured, cache, now, opened, tls, url: () => url, isStopping };
    const load = { overload: overload ?? opened.use(new Overload(logger)), traffic };
    const handler = createRequestHandler({
      routes: await createRoutes(parts),
      policies: createPolicies({ corsOrigins: config.corsOrigins, ...load }),
      respondError: createRespondError(logger),
      traffic,
      observers: [accessLog(log), ...(metrics ? [metrics.recordRequest] : []), ...observers],
      clientAddressOf: metrics && createClientAddressOf(config.trustedProxies),
    });
    const listener = createListener({ config, tls, traffic, handler, metrics });
    if (metrics) {
      const sources = { stats: () => store.stats(), cache, listener, certificate: () => tls.current.certificate };
      opened.use(await publishMetrics({ ...metricsAddress, isWorker, report: () => metrics.report(sources) }));
    }
    opened.defer(() => listener.close({ delayMs: drainDelayMs, limitMs: DRAIN_LIMIT_MS }));
    url = urlOf(config.host, await listener.listen(config.port, config.host), tls.current);
    if (!isWorker) announce(logger, url, { files: tls.current, config, now: now() });
    failed = store.failed;
    resources = opened.move();
  }

  return {
    get url() {
      return url;
    },
    get failed() {
      return failed;
    },
    start,
    reloadTls: () => reloadTls(),
    stop(delayMs = 0) {
      drainDelayMs = delayMs;
      return resources.disposeAsync();
    },
  };
}

interface ListenerParts extends Pick<ListenerOptions, 'tls' | 'traffic' | 'handler'> {
  readonly config: Config;
  readonly metrics: Metrics | undefined;
}

function createListener({ config: { maxConnections }, metrics, ...parts }: ListenerParts): Listener {
  return new Listener({ ...parts, maxConnections, onRefusal: metrics?.recordRefusal });
}

/** What becomes of the servers of a database is in the log. */
function openConfiguredStore({ store, followers, poolSize }: Config, logger: Logger): Promise<MessageStore> {
  return openStore(store, {
    followers,
    poolSize,
    onServerChange({ server, reason }) {
      if (reason === undefined) logger.info({ server }, 'the database server is well again');
      else logger.warn({ server, reason }, 'the database server is down');
    },
  });
}

/** @returns undefined where no metrics are wanted. */
function metricsAddressOf({ metricsPort, metricsHost }: Config, logger: Logger): MetricsAddress | undefined {
  return metricsPort === undefined ? undefined : { port: metricsPort, host: metricsHost, logger };
}

/** Workers leave the files to their primary. */
function openTls(isWorker: boolean, options: WatchedTlsOptions): Promise<ServedTls> {
  return isWorker ? ReceivedTls.open() : WatchedTls.open(options);
}
