import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import proxyAddr from 'proxy-addr';

/**
 * Makes the rule by which a request's client is known: the peer of its connection, or, where that is a proxy of ours,
 * the last address in X-Forwarded-For that is not. Whatever else a client writes there changes nothing.
 *
 * @param trusted Addresses and CIDR blocks of the proxies.
 * @returns what tells the address, an IPv4 one always in its own form; undefined when the connection is gone.
 */
export function createClientAddressOf(trusted: readonly string[]): (req: IncomingMessage) => string | undefined {
  const isTrusted = proxyAddr.compile([...trusted]);
  return function clientAddressOf(req) {
    const { remoteAddress } = req.socket;
    if (remoteAddress === undefined) return undefined;
    // The peer, then from right to left what each proxy says of its own peer; it need not be an address.
    const address = proxyAddr.all(req, isTrusted).findLast((name) => isIP(name) !== 0) ?? remoteAddress;
    return address.replace(/^::ffff:(?=[\d.]+$)/i, '');
  };
}
