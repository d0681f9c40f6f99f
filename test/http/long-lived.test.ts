import { once } from 'node:events';
import { request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../support/client.ts';
import { faultyStore } from '../support/faulty-store.ts';
import { disposeLeftovers, temporaryFolder } from '../support/leftovers.ts';
import { spawnService } from '../support/process.ts';
import { createTestCertificate, settingsFor, startService } from '../support/service.ts';

afterEach(disposeLeftovers);

/** More than the sockets of both ends hold. */
const MESSAGES = 200_000;

test('a shutdown does not wait for a client that has stopped reading a whole list', async () => {
  const certificate = await createTestCertificate();
  const cwd = temporaryFolder();
  const service = spawnService({ env: settingsFor(certificate), cwd });
  const url = await service.url;
  const db = new DatabaseSync(join(cwd, 'x.db'));
  db.exec(`
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${MESSAGES})
    INSERT INTO message (sha, created_at, content) SELECT randomblob(32), 0, CAST('text ' || i AS BLOB) FROM n`);
  db.close();
  const outgoing = request(`${url}/messages`, { ca: certificate.ca }).end();
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  const cut = once(incoming, 'error');
  incoming.pause();
  const begun = performance.now();
  service.child.kill('SIGTERM');
  expect(await service.exited).toBe(0);
  // Requests have eight seconds to finish; a list has what the sweep of silent connections leaves it.
  expect(performance.now() - begun).toBeLessThan(4000);
  incoming.resume();
  // Half a list never looks complete.
  expect(await cut).toMatchObject([{ code: 'ECONNRESET' }]);
});

test('whole lists are no load: with 1,000 requests that wait, one more list is sent, and one more request is refused', async () => {
  const going = Promise.withResolvers<undefined>();
  const { client, url, ca } = await startService({
    overrides: {
      decorateStore: (store) =>
        faultyStore({
          async *shas() {
            yield [];
            await going.promise;
            yield* store.shas();
          },
          find: async (sha) => {
            await going.promise;
            return store.find(sha);
          },
        })(store),
    },
  });
  const lists = Array.from({ length: 10 }, () => client.get('/messages'));
  const waiting = Array.from({ length: 1000 }, (_, index) =>
    client.get(`/messages/${String(index).padStart(64, '0')}`),
  );
  const other = new Client(url, ca);
  while ((await other.get('/messages?limit=1')).status === 200);
  // Those that have not arrived yet are refused too, if the lists count.
  await sleep(1000);
  going.resolve(undefined);
  expect(new Set((await Promise.all(lists)).map(({ status }) => status))).toEqual(new Set([200]));
  // Those that the other client's requests left no room for may have been refused, but not ten for the lists.
  const found = (await Promise.all(waiting)).filter(({ status }) => status === 404);
  expect(found.length).toBeGreaterThan(995);
  expect((await other.get('/messages?limit=1')).status).toBe(200);
  other.close();
}, 60_000);
