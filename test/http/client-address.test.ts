import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createClientAddressOf } from '../../src/http/client-address.ts';
import { dispose, disposeLeftovers } from '../support/leftovers.ts';

afterEach(disposeLeftovers);

/** What a server that trusts these proxies takes the client for, given these X-Forwarded-For headers. */
async function createAsker(
  trusted: readonly string[],
  host = '127.0.0.1',
): Promise<(...forwarded: string[]) => Promise<string>> {
  const clientAddressOf = createClientAddressOf(trusted);
  const server = createServer((req, res) => res.end(clientAddressOf(req))).listen(0, host);
  await once(server, 'listening');
  dispose(() => server.close());
  const { port } = server.address() as AddressInfo;
  return async function ask(...forwarded) {
    const headers = forwarded.length > 0 ? { 'x-forwarded-for': forwarded } : {};
    const outgoing = request({ host: '127.0.0.1', port, headers, agent: false }).end();
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    return text(incoming);
  };
}

test('without trust a client is its peer, whatever it says: 1,000 values', async () => {
  const ask = await createAsker([]);
  const seen = new Set<string>();
  for (let index = 0; index < 1000; index++) seen.add(await ask(`10.1.${index >> 8}.${index & 255}`));
  expect(seen).toEqual(new Set(['127.0.0.1']));
});

test('trust in another proxy changes nothing', async () => {
  const ask = await createAsker(['10.0.0.0/8', '127.0.0.2']);
  expect(await ask('10.0.0.1, 127.0.0.2')).toBe('127.0.0.1');
});

test.each([
  ['no header', [], '127.0.0.1'],
  ['what the proxy says', ['203.0.113.9'], '203.0.113.9'],
  ['only the last of what a client made up', ['1.1.1.1, 2.2.2.2, 203.0.113.9'], '203.0.113.9'],
  ['through two proxies', ['1.1.1.1, 203.0.113.9, 10.0.0.7'], '203.0.113.9'],
  ['a header sent twice', ['1.1.1.1', '203.0.113.9'], '203.0.113.9'],
  ['a client within the trusted block', ['10.0.0.8'], '10.0.0.8'],
  ['IPv6', ['2001:db8::1'], '2001:db8::1'],
  ['IPv4 written as IPv6', ['::ffff:203.0.113.9'], '203.0.113.9'],
  ['no address', ['1.1.1.1, unknown'], '127.0.0.1'],
  ['an address with a port', ['1.1.1.1, 203.0.113.9:80'], '127.0.0.1'],
  ['nothing but separators', [', ,,'], '127.0.0.1'],
])('a trusted proxy: %s', async (_, forwarded, expected) => {
  const ask = await createAsker(['127.0.0.1', '10.0.0.0/8']);
  expect(await ask(...forwarded)).toBe(expected);
});

test('a server on every address of both kinds calls an IPv4 peer by its IPv4 address, and trusts it by that', async () => {
  expect(await (await createAsker([], '::'))('1.1.1.1')).toBe('127.0.0.1');
  expect(await (await createAsker(['127.0.0.1'], '::'))('203.0.113.9')).toBe('203.0.113.9');
});
