import { X509Certificate } from 'node:crypto';
import { createRoutes } from '../../src/app/routes.ts';
import { parseConfig } from '../../src/config.ts';
import { allowedMethods, createPlainMatcher, type Route } from '../../src/http/route.ts';
import { MessageCache } from '../../src/messages/message.cache.ts';
import { createLog } from '../../src/observability/logger.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { disposeLeftovers, dispose } from '../support/leftovers.ts';
import { createTestCertificate, startService, type Service } from '../support/service.ts';

const SHA = '0'.repeat(64);

let routes: readonly Route[];
let service: Service;
beforeAll(async () => {
  const { ca } = await createTestCertificate();
  const opened = new AsyncDisposableStack();
  dispose(() => opened.disposeAsync());
  routes = await createRoutes({
    config: parseConfig({ DATABASE_URL: 'memory:' }),
    logger: createLog('info', { write: () => undefined }).logger,
    store: await openStore({ kind: 'memory' }),
    cache: new MessageCache(0),
    now: Date.now,
    opened,
    tls: { current: { cert: ca, key: '', certificate: new X509Certificate(ca) } },
    url: () => 'https://localhost',
    isStopping: () => false,
  });
  service = await startService();
});
afterAll(disposeLeftovers);

const targetOf = ({ path }: Route): string => path.replace(/:\w+$/, SHA);

test('each path has one row, and one parameter at most, at its end', () => {
  const paths = routes.map(({ path }) => path);
  expect(new Set(paths).size).toBe(paths.length);
  for (const path of paths) expect(path).toMatch(/^\/[\w./-]*(?::\w+)?$/);
});

test('health checks are exempt from load shedding, and what needs no token is what the contract says', () => {
  const pathsWith = (flag: 'isProbe' | 'isPublic'): string[] =>
    routes.filter((route) => route[flag]).map(({ path }) => path);
  expect(pathsWith('isProbe')).toEqual(['/health', '/health/ready']);
  expect(pathsWith('isPublic')).toEqual(['/health', '/health/ready', '/']);
});

test('every row is served, with the methods, the API and the log lines that it says', async () => {
  for (const route of routes) {
    const target = targetOf(route);
    const allowed = allowedMethods(route);
    // The plain form, and one that takes the way through Express.
    for (const path of [target, `${target}?x`]) {
      const options = await service.client.request({ method: 'OPTIONS', path });
      expect([path, options.status, options.headers.allow]).toEqual([path, 204, allowed]);
      const refused = await service.client.request({ method: 'DELETE', path });
      expect([path, refused.status, refused.headers.allow]).toEqual([path, 405, allowed]);
      const isGraphQL = route.api.name === 'graphql';
      expect(Object.keys(refused.json as object)).toEqual(isGraphQL ? ['errors'] : ['error', 'code', 'requestId']);
      const line = service.logLines().at(-1);
      expect([line?.['route'], line?.['level']]).toEqual([route.path, route.isProbe ? 20 : 30]);
    }
  }
});

test('a plain target finds its route at once; others are left to Express', () => {
  const matchPlain = createPlainMatcher(routes);
  for (const route of routes) {
    expect(matchPlain(targetOf(route))).toEqual({ route, parameter: route.path.includes(':') ? SHA : '' });
    for (const unusual of [`${targetOf(route)}?x`, `https://localhost${targetOf(route)}`]) {
      expect(matchPlain(unusual)).toBeUndefined();
    }
  }
  for (const unknown of ['', '*', '/nothing', '/messages/', '/messages/a/b', '/messages/%61', '/Messages', '//']) {
    expect(matchPlain(unknown)).toBeUndefined();
  }
});
