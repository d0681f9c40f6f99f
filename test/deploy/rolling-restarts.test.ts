import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type Answer, type ClientRequest } from '../support/client.ts';
import { freePort } from '../support/free-port.ts';
import { Http2Client } from '../support/http2-client.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { startNginx, type Nginx } from '../support/nginx.ts';
import { spawnService, type ServiceProcess } from '../support/process.ts';
import { createTestCertificate, freshDatabaseUrl, settingsFor } from '../support/service.ts';

/** ROLLING_RESTARTS=50 for a campaign. */
const ROUNDS = Number(process.env['ROLLING_RESTARTS'] ?? 2);
const CLIENTS = 12;
/** Between two requests of a client, so that some find an idle connection and some make a new one. */
const PAUSE_MS = 20;
/** Of the texts of a client, one in so many comes with the whole list, which grows. */
const LIST_EVERY = 20;

afterEach(disposeLeftovers);

const shaOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** One of the instances behind nginx, always on the same port. */
class Instance {
  readonly url: string;
  readonly #start: () => ServiceProcess;
  readonly #client: Client;
  #process: ServiceProcess;

  constructor(port: number, ca: string, start: () => ServiceProcess) {
    this.url = `https://127.0.0.1:${port}`;
    this.#start = start;
    this.#client = new Client(this.url, ca);
    this.#process = start();
  }

  /** Resolves when requests may be sent to it. */
  async untilReady(): Promise<void> {
    await this.#process.url;
    expect((await this.#client.get('/health/ready')).status).toBe(200);
    this.#client.close();
  }

  /** As an operator, or an orchestrator, does it. */
  async restart(): Promise<void> {
    this.#process.child.kill('SIGTERM');
    expect(await this.#process.exited).toBe(0);
    this.#process = this.#start();
    await this.untilReady();
  }
}

type Send = (request: ClientRequest) => Promise<Answer>;

function sendByHttp1({ url, ca }: Nginx): Send {
  const client = new Client(url, ca);
  return (request) => client.request(request);
}

/** On a new connection now and then: after 1,000 requests nginx ends one, and expects clients to send the last ones again. */
function sendByHttp2({ url, ca }: Nginx): Send {
  let client = new Http2Client(url, ca);
  let requests = 0;
  return (request) => {
    if (++requests % 500 === 0) client = new Http2Client(url, ca);
    return client.request(request);
  };
}

/** Clients that write, read and list through both doors, in turn, until told to stop. */
class Load {
  readonly acknowledged: string[] = [];
  readonly failures: string[] = [];
  answers = 0;
  readonly #stop = new AbortController();
  readonly #ended: Promise<unknown>;

  constructor(nginx: Nginx) {
    const sends = Array.from({ length: CLIENTS }, (_, index) => (index % 2 ? sendByHttp2(nginx) : sendByHttp1(nginx)));
    this.#ended = Promise.all(sends.map((send, index) => this.#run(send, index)));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #run(send: Send, client: number): Promise<void> {
    for (let index = 0; !this.#stop.signal.aborted; index++) {
      const text = `${client}-${index} ${'x'.repeat(index % 3_000)}`;
      for (const request of requestsFor(text, index % LIST_EVERY === 0)) {
        await this.#ask(send, request, text);
        await sleep(PAUSE_MS);
      }
    }
  }

  async #ask(send: Send, request: Exchange, text: string): Promise<void> {
    try {
      const answer = await send(request);
      if (request.isRight(answer)) this.answers++;
      else this.failures.push(`${request.path} ${answer.status} ${answer.text.slice(0, 300)}`);
      if (request.isWrite && request.isRight(answer)) this.acknowledged.push(text);
    } catch (error) {
      this.failures.push(`${request.path} ${String(error)}`);
    }
  }
}

interface Exchange extends ClientRequest {
  readonly isWrite?: boolean;
  readonly isRight: (answer: Answer) => boolean;
}

function requestsFor(text: string, withList: boolean): Exchange[] {
  const sha = shaOf(text);
  const viaRest = text.length % 2 === 0;
  const graphql = (query: string, variables: object, isRight: Exchange['isRight'], isWrite = false): Exchange => ({
    method: 'POST',
    path: '/graphql',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
    isWrite,
    isRight: (answer) => answer.status === 200 && isRight(answer),
  });
  const add: Exchange = viaRest
    ? {
        method: 'POST',
        path: '/messages',
        body: JSON.stringify({ message: text }),
        isWrite: true,
        isRight: ({ status, text: body }) => status === 201 && body === `{"digest":"${sha}"}`,
      }
    : graphql('mutation ($text: String!) { addMessage(text: $text) { sha } }', { text }, (answer) => answer.text.includes(sha), true); // prettier-ignore
  const list: Exchange = {
    path: '/messages',
    isRight: (answer) => answer.status === 200 && answer.text.includes(sha),
  };
  return [
    add,
    { path: `/messages/${sha}`, isRight: ({ status, text: body }) => status === 200 && body.includes(text) },
    graphql('query ($sha: Sha256!) { messageBySha(sha: $sha) { text } }', { sha }, (answer) => answer.text.includes(text)), // prettier-ignore
    graphql('{ messages(last: 5) { nodes { sha } } }', {}, ({ text: body }) => body.startsWith('{"data":')),
    ...(withList ? [list] : []),
  ];
}

test(
  `${ROUNDS} rolling restarts of 2 instances on PostgreSQL under load: no request fails, what was acknowledged is there, once`,
  async () => {
    const certificate = await createTestCertificate();
    const DATABASE_URL = await freshDatabaseUrl('postgres');
    const ports = [await freePort(), await freePort()];
    const instances = ports.map(
      (port) =>
        new Instance(port, certificate.ca, () =>
          spawnService({ env: settingsFor(certificate, { PORT: String(port), DATABASE_URL }) }),
        ),
    );
    await Promise.all(instances.map((instance) => instance.untilReady()));
    const nginx = await startNginx({ instances: instances.map(({ url }) => url), ca: certificate.ca });
    const load = new Load(nginx);
    const begun = performance.now();
    for (let round = 0; round < ROUNDS; round++) {
      for (const instance of instances) {
        await sleep(200);
        await instance.restart();
      }
    }
    const seconds = (performance.now() - begun) / 1000;
    await load.stop();
    expect(load.failures).toEqual([]);
    const { digestList } = (await nginx.client.get('/messages')).json as { digestList: string[] };
    expect(new Set(digestList).size).toBe(digestList.length);
    const known = new Set(digestList);
    expect(load.acknowledged.filter((text) => !known.has(shaOf(text)))).toEqual([]);
    expect(load.acknowledged.length).toBeGreaterThan(20);
    const tries = nginx.log().match(/"upstream":"[^"]*, /g)?.length ?? 0;
    const rate = Math.round(load.answers / seconds);
    console.info(`${load.answers} requests, ${rate}/s; ${load.acknowledged.length} messages; ${tries} tried twice`);
  },
  60_000 + ROUNDS * 30_000,
);
