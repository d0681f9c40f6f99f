import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../src/errors.ts';
import { restApi } from '../../src/http/api.ts';
import type { Policy } from '../../src/http/policies.ts';
import { createRequestHandler } from '../../src/http/request-handler.ts';
import { createRespondError } from '../../src/http/respond-error.ts';
import { sendJson } from '../../src/http/respond.ts';
import { Connection, Traffic } from '../../src/http/traffic.ts';
import { createLog } from '../../src/observability/logger.ts';
import { dispose, disposeLeftovers } from '../support/leftovers.ts';

afterEach(disposeLeftovers);

/** A server with one route, which responds with the order in which the policies and the handler ran. */
async function serve(createOwn: (ran: string[]) => readonly Policy[]): Promise<string> {
  const ran: string[] = [];
  const handle = createRequestHandler({
    routes: [
      {
        path: '/',
        api: restApi,
        handlers: {
          GET(context) {
            sendJson(context, [...ran.splice(0), 'handler'], { status: 200 });
          },
        },
      },
    ],
    policies: createOwn(ran),
    respondError: createRespondError(createLog('silent', { write: () => undefined }).logger),
    traffic: new Traffic(),
    observers: [],
    clientAddressOf: undefined,
  });
  const server = createServer((req, res) => {
    handle(req, res, new Connection());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  dispose(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('policies run in their order, and the handler after them, also where one has to wait', async () => {
  const url = await serve((ran) => [
    () => void ran.push('first'),
    async () => {
      await sleep(10);
      ran.push('waits');
    },
    () => void ran.push('last'),
  ]);
  // The plain form, and one that takes the way through Express.
  for (const target of ['/', '/?x']) {
    expect(await (await fetch(url + target)).json()).toEqual(['first', 'waits', 'last', 'handler']);
  }
});

test.each(['first', 'last'])('a policy that rejects, the %s of two that wait, ends the request', async (place) => {
  const reject: Policy = () => Promise.reject(new AppError('OVERLOADED'));
  const wait: Policy = () => sleep(1);
  const url = await serve(() => (place === 'first' ? [reject, wait] : [wait, reject]));
  for (const path of ['/', '/nothing']) {
    const response = await fetch(url + path);
    expect([response.status, await response.json()]).toMatchObject([503, { code: 'OVERLOADED' }]);
  }
});
