import { randomUUID } from 'node:crypto';
import type { RequestHandler, Response } from 'express';

/** What a caller's own id may look like; anything else could forge log lines or headers and is replaced. */
const acceptable = /^[A-Za-z0-9._-]{1,64}$/;

/** Takes the caller's X-Request-Id or makes one, and answers it; errors and log lines carry the same id. */
export const requestId: RequestHandler = function requestId(req, res, next) {
  const given = req.headers['x-request-id'];
  const id = typeof given === 'string' && acceptable.test(given) ? given : randomUUID();
  res.locals['requestId'] = id;
  res.setHeader('X-Request-Id', id);
  next();
};

/** The id of the request that this response answers. */
export function requestIdOf(res: Response): string {
  return String(res.locals['requestId']);
}
