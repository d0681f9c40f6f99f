import type { Config } from '../config.ts';
import { createApollo } from '../graphql/apollo.ts';
import { CompiledOperations } from '../graphql/compiled/operations.ts';
import { graphqlRoutes, queryLimitFor } from '../graphql/graphql.routes.ts';
import { createHotPath } from '../graphql/hot-path.ts';
import { answerLimitFor } from '../graphql/operation-limits.ts';
import { createSchema } from '../graphql/schema.ts';
import { bodyLimitFor } from '../http/body.ts';
import { curlTrust } from '../http/curl.ts';
import { greetingRoutes } from '../http/greeting.routes.ts';
import { healthRoutes } from '../http/health.routes.ts';
import type { Route } from '../http/route.ts';
import type { ServedTls } from '../http/served-tls.ts';
import { tooLarge } from '../messages/message.ts';
import type { MessageCache } from '../messages/message.cache.ts';
import { MessageResolver } from '../messages/message.resolver.ts';
import { messageRoutes } from '../messages/message.routes.ts';
import { MessageService } from '../messages/message.service.ts';
import type { MessageStore } from '../messages/message.store.ts';
import type { Logger } from '../observability/logger.ts';

export interface RoutesOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly store: MessageStore;
  readonly cache: MessageCache;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** Takes what has to be stopped. */
  readonly opened: AsyncDisposableStack;
  readonly tls: Pick<ServedTls, 'current'>;
  /** Where the service listens. */
  readonly url: () => string;
  readonly isStopping: () => boolean;
}

/** The route table of the service. */
export async function createRoutes(options: RoutesOptions): Promise<readonly Route[]> {
  const { config, store, tls, url, isStopping } = options;
  const trustFor = (host: string): string => curlTrust(tls.current.certificate, config.tlsCertFile, host);
  return [
    ...healthRoutes({ isStopping, pingStore: () => store.ping() }),
    ...greetingRoutes({ url, curlTrust: trustFor }),
    ...(await createApiRoutes(options)),
  ];
}

/** REST and GraphQL over one service. */
async function createApiRoutes({ config, logger, store, cache, now, opened }: RoutesOptions): Promise<Route[]> {
  const { maxMessageBytes } = config;
  const service = new MessageService({ store, cache, maxMessageBytes, now });
  const bodyOptions = { limit: bodyLimitFor(maxMessageBytes), tooLarge: () => tooLarge(maxMessageBytes) };
  const operations = new CompiledOperations();
  const answerLimit = answerLimitFor(maxMessageBytes);
  const schema = createSchema([new MessageResolver(service)]);
  const apollo = opened.adopt(await createApollo({ schema, logger, operations, answerLimit }), (started) =>
    started.stop(),
  );
  const graphql = graphqlRoutes({
    apollo,
    hotPath: createHotPath(operations, answerLimit),
    bodyOptions: { ...bodyOptions, queryLimit: queryLimitFor(maxMessageBytes) },
  });
  return [...messageRoutes(service, bodyOptions), ...graphql];
}
