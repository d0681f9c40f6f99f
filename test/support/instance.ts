import type { Answer } from './client.ts';
import { Client } from './client.ts';
import { dispose, temporaryFolder } from './leftovers.ts';
import { spawnService, type ServiceProcess } from './process.ts';
import { createTestCertificate, settingsFor } from './service.ts';

export interface Instance extends ServiceProcess {
  /** A client with connections of its own. */
  readonly connect: () => Client;
  readonly client: Client;
}

/** The service in a process of its own, without a cache, so that every request needs the store; resolves when it listens. */
export async function startInstance(env: Record<string, string>): Promise<Instance> {
  const certificate = await createTestCertificate();
  const settings = settingsFor(certificate, { MESSAGE_CACHE_BYTES: '0', ...env });
  const service = spawnService({ env: settings, cwd: temporaryFolder() });
  const url = await service.url;
  const connect = (): Client => {
    const client = new Client(url, certificate.ca);
    dispose(() => client.close());
    return client;
  };
  return { ...service, connect, client: connect() };
}

/**
 * What a service without its database may answer, and nothing else: that the store cannot help now. REST also says when
 * to try again; GraphQL answers 200 with errors, as its protocol has it.
 */
export function isRefusal({ status, headers, text }: Answer): boolean {
  if (!/"code":"STORE_(BUSY|UNAVAILABLE)"/.test(text)) return false;
  return text.startsWith('{"errors":') ? status === 200 : status === 503 && Number(headers['retry-after']) >= 1;
}

/** Every sha of the list, oldest first. */
export async function listOf(client: Client): Promise<string[]> {
  const { status, json } = await client.get('/messages');
  expect(status).toBe(200);
  return (json as { digestList: string[] }).digestList;
}
