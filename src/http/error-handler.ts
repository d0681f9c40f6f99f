import type { ErrorRequestHandler, Request, Response } from 'express';
import { AppError, errorTable, toAppError } from '../errors.ts';
import type { Logger } from '../observability/logger.ts';
import { requestIdOf } from './request-id.ts';
import { JSON_TYPE, send } from './send.ts';

/** How long an answer that refuses a body waits for the client to stop sending it. */
const LINGER_MS = 1000;

/** The body of an error answer, in the words of one protocol. */
export type ErrorPresenter = (error: AppError, requestId: string) => unknown;

/** REST's. */
export const presentRestError: ErrorPresenter = (error, requestId) => ({
  error: error.message,
  code: error.code,
  requestId,
});

/** Logs an error as its row of the error table asks. */
export function logError(logger: Logger, error: AppError, requestId: string): void {
  const { level } = errorTable[error.code];
  if (level !== 'silent') logger[level]({ requestId, err: error }, error.code);
}

/**
 * The last policy: whatever was thrown or passed to `next`, in the words of the door that it happened at.
 * Once headers are out only the connection can tell, so it is cut, and no half of a body looks complete.
 */
export function errorHandler(logger: Logger, presenterFor: (path: string) => ErrorPresenter): ErrorRequestHandler {
  return function errorHandler(thrown: unknown, req, res, next) {
    const error = isUndecodablePath(thrown)
      ? new AppError('BAD_REQUEST', 'The path does not decode.')
      : toAppError(thrown);
    logError(logger, error, requestIdOf(res));
    if (res.headersSent) {
      next(error);
      return;
    }
    const body = JSON.stringify(presenterFor(req.path)(error, requestIdOf(res)));
    const { status } = errorTable[error.code];
    if (error.code === 'BODY_TOO_LARGE' && !req.complete) refuseBody(req, res, status, body);
    else send(res, status, JSON_TYPE, body);
  };
}

/** Express decodes parameters with decodeURIComponent. */
function isUndecodablePath(thrown: unknown): boolean {
  return thrown instanceof URIError;
}

/**
 * Answers at once, but goes on reading for a moment: closing a connection with unread input resets it, and the client
 * might never see the answer.
 */
function refuseBody(req: Request, res: Response, status: number, body: string): void {
  res.writeHead(status, {
    'Content-Type': JSON_TYPE,
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
  });
  res.write(body);
  const timer = setTimeout(() => res.end(), req.headers.expect === undefined ? LINGER_MS : 0);
  req.once('end', () => {
    clearTimeout(timer);
    res.end();
  });
  req.resume();
}
