import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AppResponse } from './response.ts';

/** What a caller's own id may look like; anything else could forge log lines or headers and is replaced. */
const acceptable = /^[A-Za-z0-9._-]{1,64}$/;

/** Takes the caller's X-Request-Id or makes one, and answers it; errors and log lines carry the same id. */
export function requestId(req: IncomingMessage, res: AppResponse): void {
  const given = req.headers['x-request-id'];
  res.requestId = typeof given === 'string' && acceptable.test(given) ? given : randomUUID();
  res.setHeader('X-Request-Id', res.requestId);
}

/** The id of the request that this response answers. */
export function requestIdOf(res: ServerResponse): string {
  return 'requestId' in res ? String(res.requestId) : '';
}
