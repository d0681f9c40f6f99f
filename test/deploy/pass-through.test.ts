import { createHash } from 'node:crypto';
import { disposeLeftovers } from '../support/leftovers.ts';
import { startNginx } from '../support/nginx.ts';
import { createTestCertificate, startService } from '../support/service.ts';

afterEach(disposeLeftovers);

test('passed through, a client speaks TLS with an instance; one that is gone is passed by', async () => {
  const { certFile, keyFile, ca } = await createTestCertificate();
  const env = { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile };
  const services = [await startService({ env }), await startService({ env })];
  const nginx = await startNginx({ file: 'pass-through.conf', instances: services.map(({ url }) => url), ca });
  const body = JSON.stringify({ message: 'x'.repeat(100_000) });
  const { status, json } = await nginx.client.post('/messages', body);
  expect([status, json]).toEqual([201, { digest: createHash('sha256').update('x'.repeat(100_000)).digest('hex') }]);
  await services[0]?.app.stop();
  for (let connection = 0; connection < 6; connection++) {
    nginx.client.close();
    expect((await nginx.client.get('/health')).status).toBe(200);
  }
});
