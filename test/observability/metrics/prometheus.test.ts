import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { disposeLeftovers } from '../../support/leftovers.ts';
import { scrapeText, startMeasuredService, type MeasuredService } from '../../support/metrics.ts';
import { shaOf } from '../../support/operations.ts';
import { ROOT } from '../../support/process.ts';
import { startFollower, startPostgres } from '../../support/postgres.ts';
import { promtool, startPrometheus, type Prometheus } from '../../support/prometheus.ts';
import { STORES } from '../../support/service.ts';

/** What only some stores have; on all others a query for it finds nothing. */
const FIGURES_OF_STORES: Readonly<Record<string, RegExp>> = {
  file: /_wal_|_batch/,
  postgres: /_batch|_pool_|_follower_/,
};

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly query: { readonly query?: string } }[];
  };
}

const dashboard = JSON.parse(readFileSync(join(ROOT, 'deploy/grafana/hashpost.json'), 'utf8')) as Dashboard;

/** Every query of the dashboard, with the panel that it is of, as Grafana would send it. */
const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => ({
    title,
    expression: expr.replaceAll('$__rate_interval', '30s').replaceAll('$instance', '.*'),
  })),
);

afterAll(disposeLeftovers);

async function startPostgresPair(): Promise<Record<string, string>> {
  const primary = await startPostgres();
  return { DATABASE_URL: primary.url, READ_DATABASE_URLS: (await startFollower(primary)).url };
}

test('configuration and rules are what Prometheus takes, and alert on what they should', () => {
  promtool(['check', 'config', 'prometheus.yml']);
  promtool(['test', 'rules', 'alerts.test.yml']);
});

test('every alert has a test', () => {
  const read = (file: string): string => readFileSync(join(ROOT, 'deploy/prometheus', file), 'utf8');
  const alerts = [...read('alerts.yml').matchAll(/alert: (\w+)/g)].map(([, name]) => name);
  expect(alerts.length).toBeGreaterThanOrEqual(14);
  for (const alert of alerts) expect(read('alerts.test.yml')).toMatch(new RegExp(`\\b${String(alert)}\\b`));
});

describe.each(STORES)('scraped by a real Prometheus, with the store %s', (store) => {
  let service: MeasuredService;
  let prometheus: Prometheus;
  beforeAll(async () => {
    service = await startMeasuredService({ store, env: store === 'postgres' ? await startPostgresPair() : {} });
    prometheus = await startPrometheus(new URL(service.metricsUrl).host);
  }, 60_000);

  async function traffic(round: number): Promise<void> {
    const { client } = service;
    await client.post('/messages', JSON.stringify({ message: `${round}` }));
    await client.graphql('mutation ($text: String!) { addMessage(text: $text) { sha } }', { text: `g${round}` });
    for (let read = 0; read < 3; read++) {
      await client.get(`/messages/${shaOf(`${round}`)}`);
      await client.graphql('query ($sha: Sha256!) { messageBySha(sha: $sha) { text } }', { sha: shaOf(`g${round}`) });
    }
    await client.get('/messages');
    await client.get('/nowhere');
    await client.get('/health/ready');
    await client.graphql('{ messages(first: 10) { nodes { sha } } nothing }');
  }

  const isOfOthers = (expression: string): boolean =>
    Object.values(FIGURES_OF_STORES).some((figures) => figures.test(expression)) &&
    !FIGURES_OF_STORES[store]?.test(expression);

  test('every query of the dashboard returns data', async () => {
    const wanted = queries.filter(({ expression }) => !isOfOthers(expression));
    expect(wanted.length).toBeGreaterThanOrEqual(30);
    let missing = wanted;
    for (let round = 0; missing.length > 0 && round < 60; round++) {
      await traffic(round);
      await sleep(500);
      const answers = await Promise.all(
        missing.map(async (query) => ({ query, series: await prometheus.query(query.expression) })),
      );
      // A division by zero is no data.
      const isData = ([, value]: readonly [number, string]): boolean => value !== 'NaN';
      missing = answers.filter(({ series }) => !series.some(({ value }) => isData(value))).map(({ query }) => query);
    }
    expect(missing).toEqual([]);
    for (const { expression } of queries.filter(({ expression }) => isOfOthers(expression))) {
      expect([expression, await prometheus.query(expression)]).toEqual([expression, []]);
    }
  }, 120_000);

  test('so does the list of instances', async () => {
    const instances = dashboard.templating.list.find(({ name }) => name === 'instance');
    const metric = /^label_values\((\w+), instance\)$/.exec(instances?.query.query ?? '')?.[1];
    expect(await prometheus.query(String(metric))).toMatchObject([
      { metric: { instance: expect.any(String) as string } },
    ]);
  });

  test('every rule is evaluated, and none alerts', async () => {
    let rules = await prometheus.rules();
    for (let round = 0; rules.some(({ health }) => health === 'unknown') && round < 60; round++) {
      await sleep(500);
      rules = await prometheus.rules();
    }
    expect(rules.length).toBeGreaterThanOrEqual(14);
    expect(rules.filter(({ health, state }) => health !== 'ok' || state === 'firing')).toEqual([]);
  }, 60_000);

  test('names, types and texts are as Prometheus advises', async () => {
    expect(promtool(['check', 'metrics'], await scrapeText(service.metricsUrl))).toBe('');
  });
});
