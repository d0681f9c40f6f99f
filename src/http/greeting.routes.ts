import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import Negotiator from 'negotiator';
import { pageApi } from './api.ts';
import { constantHeaders, send } from './respond.ts';
import type { Route } from './route.ts';

/** What a newcomer's commands depend on. */
export interface GreetingOptions {
  /** Where the service listens, used when the request does not say under which name it was reached. */
  readonly url: () => string;
  /** What curl needs to trust the certificate when it is asked by this name: '--cacert FILE', '-k', or nothing. */
  readonly curlTrust: (host: string) => string;
}

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:4rem auto;padding:0 1rem}pre{white-space:pre-wrap;overflow-wrap:anywhere}';
const PAGE_HEADERS = constantHeaders({
  'Content-Security-Policy': `default-src 'none'; frame-ancestors 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
});

/** What can stand in a command: nothing else of a Host header is ever repeated. */
const plainOrigin = /^https:\/\/(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/** `GET /`: commands that work on the host, port and certificate by which the caller came. */
export function greetingRoutes({ url, curlTrust }: GreetingOptions): readonly Route[] {
  function greet(req: IncomingMessage): string {
    const asked = `https://${req.headers.host ?? ''}`;
    const origin = plainOrigin.test(asked) && URL.canParse(asked) ? asked : url();
    const curl = ['curl', curlTrust(new URL(origin).hostname)].filter(Boolean).join(' ');
    return [
      'Hashpost keeps text messages under their SHA-256.',
      '',
      `${curl} ${origin}/messages -d '{"message":"foo"}'`,
      `${curl} ${origin}/messages/2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae`,
      `${curl} ${origin}/messages`,
      `${curl} ${origin}/graphql -H 'Content-Type: application/json' -d '{"query":"{ messages(first: 10) { nodes { sha text } } }"}'`,
      '',
    ].join('\n');
  }

  return [
    {
      path: '/',
      api: pageApi,
      isPublic: true,
      handlers: {
        GET(context) {
          const { req } = context;
          context.vary += ', Accept';
          if (new Negotiator(req).mediaType(['text/plain', 'text/html']) === 'text/html') {
            send(context, 'text/html; charset=utf-8', toPage(greet(req)), { status: 200, constant: PAGE_HEADERS });
          } else {
            send(context, 'text/plain; charset=utf-8', greet(req), { status: 200 });
          }
        },
      },
    },
  ];
}

function toPage(greeting: string): string {
  const commands = greeting.replace(/[&<]/g, (character) => (character === '&' ? '&amp;' : '&lt;'));
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Hashpost</title>
<style>${STYLE}</style>
<h1>Hashpost</h1>
<p>Ask it in <a href="/graphql">Apollo Sandbox</a>, look at <a href="/messages">all digests</a>, or use curl:</p>
<pre>${commands}</pre>
</html>
`;
}
