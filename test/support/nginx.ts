import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type Answer } from './client.ts';
import { freePort } from './free-port.ts';
import { dispose, temporaryFolder } from './leftovers.ts';
import { ROOT } from './process.ts';
import { createTestCertificate, type TestCertificate } from './service.ts';

const DEPLOYED = join(ROOT, 'deploy/nginx');
// Debian has it where only root looks.
const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` };

export interface NginxOptions {
  /** URLs of the instances; the certificate that all of them show is vouched for by `ca`. */
  readonly instances: readonly string[];
  readonly ca: string;
  /** Of deploy/nginx. */
  readonly file?: string;
  /** Changes that a test needs in what is deployed; each must be found there. */
  readonly changes?: readonly (readonly [found: string, wanted: string])[];
}

export interface Nginx {
  readonly url: string;
  /** Of nginx's own certificate. */
  readonly ca: string;
  readonly client: Client;
  /** What it has written so far, in all of its files but the cache. */
  readonly log: () => string;
  /** Its line for a request, which it writes after the answer. */
  readonly lineOf: (answer: Answer) => Promise<Record<string, unknown>>;
  /** Where cached answers are. */
  readonly cacheFolder: string;
  readonly pidFile: string;
  /** The authority that vouches for the instances; nginx reads it when it starts and when it is told to. */
  readonly instancesCertFile: string;
}

/** A real nginx with the deployed configuration, moved into a folder and to a port of the test's own. */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const folder = temporaryFolder();
  const certificate = await createTestCertificate();
  const port = await freePort();
  const { file = 'nginx.conf', instances } = options;
  // Where Debian's own prefix has them too; see pass-through.conf.
  symlinkSync('/usr/lib/nginx/modules', join(folder, 'modules'));
  for (const name of ['tls', 'instances', 'cache']) mkdirSync(join(folder, name));
  copyFileSync(certificate.certFile, join(folder, 'tls/server.crt'));
  copyFileSync(certificate.keyFile, join(folder, 'tls/server.key'));
  const instancesCertFile = join(folder, 'instances/server.crt');
  writeFileSync(instancesCertFile, options.ca);
  const [line = ''] = /^server .*;$/m.exec(readFileSync(join(DEPLOYED, 'instances.conf'), 'utf8')) ?? [];
  const lines = instances.map((url) => line.replace(/[\d.]+:\d+/, new URL(url).host));
  writeFileSync(join(folder, 'instances.conf'), lines.join('\n'));
  writeFileSync(join(folder, 'nginx.conf'), render(readFileSync(join(DEPLOYED, file), 'utf8'), folder, port, options));

  const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')];
  const pidFile = join(folder, 'nginx.pid');
  const globals = `pid ${pidFile};`;
  assertValid([...args, '-t', '-g', globals]);
  const child = spawn('nginx', [...args, '-g', `${globals} daemon off;`], {
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const exited = once(child, 'exit');
  dispose(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  await untilAccepting(port, child);
  const url = `https://127.0.0.1:${port}`;
  const client = new Client(url, file === 'nginx.conf' ? certificate.ca : options.ca);
  dispose(() => {
    client.close();
  });
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  return {
    url,
    ca: certificate.ca,
    client,
    log: () => read('access.log') + read('error.log'),
    async lineOf({ headers }) {
      for (;;) {
        const lines = read('access.log').split('\n');
        const line = lines.find((text) => text.includes(`"requestId":"${String(headers['x-request-id'])}"`));
        if (line !== undefined) return JSON.parse(line) as Record<string, unknown>;
        await sleep(5);
      }
    },
    cacheFolder: join(folder, 'cache'),
    pidFile,
    instancesCertFile,
  };
}

/** Something else in the place of an instance. */
export async function startInstance(
  handler: RequestListener,
  certificate?: TestCertificate,
): Promise<{ readonly url: string; readonly ca: string }> {
  const { keyFile, ca } = certificate ?? (await createTestCertificate());
  const server = createHttpsServer({ cert: ca, key: readFileSync(keyFile) }, handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  dispose(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, ca };
}

/** Everything but places, ports and the user stays as it is deployed. */
function render(
  text: string,
  folder: string,
  port: number,
  { changes = [], file = 'nginx.conf' }: NginxOptions,
): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  );
  const here: (readonly [string, string])[] = [
    ['user www-data;', process.getuid?.() === 0 ? 'user root;' : ''],
    ['listen 5000', `listen 127.0.0.1:${port}`],
    ['worker_processes auto;', 'worker_processes 2;'],
    ...(file === 'nginx.conf'
      ? ([
          ['http {\n', `http {\n${temporary.join('\n')}\n`],
          ['/var/cache/hashpost', join(folder, 'cache')],
          ['listen [::]:5000 ssl http2;', ''],
        ] as const)
      : ([['listen [::]:5000;', '']] as const)),
    ['/var/log/nginx/access.log', join(folder, 'access.log')],
    ['/var/log/nginx/error.log', join(folder, 'error.log')],
  ];
  return [...here, ...changes].reduce((rendered, [found, wanted]) => {
    if (rendered.split(found).length !== 2) throw new Error(`${file} does not have "${found}" once`);
    return rendered.replace(found, () => wanted);
  }, text);
}

/** @throws Error with what nginx says of its configuration, warnings too. */
function assertValid(args: readonly string[]): void {
  const { error, status, stderr } = spawnSync('nginx', args, { env, encoding: 'utf8' });
  if (error) throw new Error('nginx is missing: apt-get install nginx-light libnginx-mod-stream', { cause: error });
  if (stderr.includes('directive "stream"'))
    throw new Error('nginx lacks a module: apt-get install libnginx-mod-stream');
  // Newer versions have another way to say http2.
  if (status !== 0 || /\[warn\](?!.*"listen \.\.\. http2")/.test(stderr)) throw new Error(`nginx -t: ${stderr}`);
}

/** @throws Error when nginx ends before it can be connected to. */
async function untilAccepting(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const socket = connect(port, '127.0.0.1');
    const accepted = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (accepted) return;
    await sleep(20);
  }
  throw new Error('nginx ended at its start');
}
