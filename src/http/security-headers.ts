import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * For every answer, errors included. This is an API: its answers are data, never pages, frames or scripts, and no
 * cache keeps one unless its route says so (only the absence of a message can change, so a 404 must never be kept).
 * A route that serves a page widens the policy for itself.
 *
 * No Strict-Transport-Security: browsers apply it to a host name on every port, so on localhost, with the development
 * certificate trusted, it would break every other http://localhost server of the developer.
 */
const headers = new Map([
  ['Cache-Control', 'no-store'],
  ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Referrer-Policy', 'no-referrer'],
  ['X-Content-Type-Options', 'nosniff'],
]);

export function securityHeaders(_req: IncomingMessage, res: ServerResponse): void {
  res.setHeaders(headers);
}
