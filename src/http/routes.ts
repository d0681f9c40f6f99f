import type { RequestHandler, Router } from 'express';
import { AppError } from '../errors.ts';

/**
 * Puts the routes of one door or mechanism on the router that all share: a router of its own would cost every request
 * that passes by a walk into it.
 */
export type Routes = (router: Router) => void;

/**
 * The last handler of a path: answers OPTIONS and refuses every other method, both with what the path allows
 * (RFC 9110, 9.3.7 and 15.5.6). Express answers HEAD with the handler of GET.
 */
export function allowOnly(...methods: readonly ('GET' | 'POST')[]): RequestHandler {
  const allowed = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  const allow = [...allowed, 'OPTIONS'].join(', ');
  return function allowOnly(req, res) {
    res.setHeader('Allow', allow);
    if (req.method !== 'OPTIONS') throw new AppError('METHOD_NOT_ALLOWED');
    res.statusCode = 204;
    res.end();
  };
}
