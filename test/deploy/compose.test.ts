import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { describeSettings, parseConfig } from '../../src/config.ts';
import { ROOT } from '../support/process.ts';

interface Container {
  readonly image: string;
  readonly profiles: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly mem_limit?: string;
  readonly volumes: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly networks?: { readonly scaled?: { readonly ipv4_address: string } };
}

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const { services } = parse(read('docker-compose.yml'), { merge: true }) as { services: Record<string, Container> };
const instances = Object.entries(services).filter(([name]) => name.startsWith('hashpost-'));
const addressOf = ({ networks }: Container): string => networks?.scaled?.ipv4_address ?? '';

test.each(Object.entries(services))('%s: of one profile, without rights it does not need, bounded', (_, container) => {
  expect(container).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
  expect(container.profiles).toHaveLength(1);
  expect(container.mem_limit).toMatch(/^\d+[mg]$/);
});

test('every file that is mounted is there', () => {
  const mounted = Object.values(services).flatMap(({ volumes }) => volumes.map((volume) => volume.split(':')[0] ?? ''));
  const files = mounted.filter((path) => path.startsWith('./'));
  expect(files.length).toBeGreaterThan(5);
  expect(files.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test('nginx, Prometheus and the instances know each other', () => {
  expect(instances).toHaveLength(3);
  const addresses = instances.map(([, container]) => addressOf(container));
  const listed = [...read('deploy/compose/instances.conf').matchAll(/^server ([\d.]+):5000 max_fails=0;$/gm)];
  expect(listed.map(([, address]) => address)).toEqual(addresses);
  const { scrape_configs: jobs } = parse(read('deploy/compose/prometheus.yml')) as {
    scrape_configs: { static_configs: { targets: string[] }[] }[];
  };
  for (const [name, { environment = {} }] of instances) {
    const { TRUSTED_PROXIES = '', METRICS_PORT = '' } = environment;
    const { trustedProxies } = parseConfig({ TRUSTED_PROXIES: String(TRUSTED_PROXIES) });
    expect(trustedProxies).toEqual([addressOf(services['nginx'] as Container)]);
    expect(jobs[0]?.static_configs[0]?.targets).toContain(`${name}:${METRICS_PORT}`);
  }
});

test.each([{}, { POSTGRES_PRIMARY: 'postgres-follower' }])(
  'what the instances are given are settings, and valid: %j',
  (variables) => {
    const values: Record<string, string> = { POSTGRES_PASSWORD: 'abc', ...variables };
    const known = new Set(describeSettings().map(({ variable }) => variable));
    for (const [, { environment = {} }] of instances) {
      expect(Object.keys(environment).filter((name) => !known.has(name))).toEqual([]);
      const env = Object.entries(environment).map(([name, value]) => [
        name,
        String(value).replace(
          /\$\{(\w+):?-(\w*)\}/g,
          (_, variable: string, other: string) => values[variable] ?? other,
        ),
      ]);
      expect(parseConfig(Object.fromEntries(env) as Record<string, string>)).toMatchObject({ metricsHost: '0.0.0.0' });
    }
  },
);

test('no password is in any file: it comes from outside', () => {
  const passwords = [
    ...read('docker-compose.yml').matchAll(/postgres:\/\/hashpost:([^@]*)@|POSTGRES_PASSWORD: ('?[^,\n]*)/g),
  ];
  expect(passwords.length).toBeGreaterThan(3);
  for (const [, inUrl, variable = ''] of passwords)
    expect(inUrl ?? variable.replaceAll("'", '').trim()).toBe('${POSTGRES_PASSWORD-}');
});
