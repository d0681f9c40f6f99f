import type { RequestHandler, Router } from 'express';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../errors.ts';

/**
 * Puts the routes of one door or mechanism on the router that all share: a router of its own would cost every request
 * that passes by a walk into it.
 */
export type Routes = (router: Router) => void;

/** Answers a request, or rejects with what the error handler is to say. Needs nothing of Express. */
export type Handler = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

/** A route for the plain form of the most frequent requests, which does not go through Express. */
export interface HotRoute {
  readonly method: 'GET' | 'POST';
  /** As Express has it for all other forms; for the log. */
  readonly template: string;
  /** @param url as it came: a path, and nothing else, for what is meant. */
  readonly matches: (url: string) => boolean;
  readonly handle: Handler;
}

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
