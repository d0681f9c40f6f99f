import { serverAudits } from 'graphql-http';
import type { Client } from '../support/client.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { startService } from '../support/service.ts';

afterAll(disposeLeftovers);

/** A fetch for the judge that trusts the test's certificate and, as real clients do, passes CSRF prevention. */
function auditFetch(client: Client): typeof fetch {
  return async (input, init) => {
    const { pathname, search } = new URL(input);
    const headers = new Headers(init?.headers);
    headers.set('apollo-require-preflight', '1');
    const body = init?.body as string | undefined;
    const answer = await client.request({
      method: init?.method ?? 'GET',
      path: pathname + search,
      headers: Object.fromEntries(headers),
      ...(body !== undefined && { body }),
    });
    return new Response(answer.text, { status: answer.status, headers: answer.headers as Record<string, string> });
  };
}

test('all 61 audits of the GraphQL over HTTP specification hold, and hold again once their operations are compiled', async () => {
  const { client, url } = await startService();
  const audits = serverAudits({ url: `${url}/graphql`, fetchFn: auditFetch(client) });
  const failed = [];
  for (const audit of [...audits, ...audits, ...audits]) {
    const result = await audit.fn();
    if (result.status !== 'ok') failed.push({ id: result.id, name: result.name, reason: result.reason });
  }
  expect(failed).toEqual([]);
  expect(audits).toHaveLength(61);
}, 60_000);
