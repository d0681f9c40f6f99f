import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError, errorTable, toAppError, type ErrorRow } from '../errors.ts';
import type { Logger } from '../observability/logger.ts';
import { requestIdOf } from './request-id.ts';
import { noteError, notesOf } from './response.ts';
import { JSON_TYPE, send } from './send.ts';

/** How long an answer that refuses a body waits for the client to stop sending it. */
const LINGER_MS = 1000;

/** An error answer in the words of one protocol. */
export interface ErrorFormat {
  readonly contentType: string;
  readonly present: (error: AppError, requestId: string) => unknown;
}

export const restErrorFormat: ErrorFormat = {
  contentType: JSON_TYPE,
  present: (error, requestId) => ({ error: error.message, code: error.code, requestId }),
};

/** Logs an error as its row of the error table asks. */
export function logError(logger: Logger, error: AppError, requestId: string): void {
  const { level } = errorTable[error.code];
  if (level !== 'silent' && !isToldAlready(error)) logger[level]({ requestId, err: error }, error.code);
}

/** Why a database is away was told when that was found out; the requests that it refuses meanwhile have lines of their own. */
function isToldAlready({ code, cause }: AppError): boolean {
  return code === 'STORE_UNAVAILABLE' && cause === undefined;
}

/** Answers whatever was thrown. */
export type AnswerError = (thrown: unknown, req: IncomingMessage, res: ServerResponse) => void;

/**
 * Makes the end of all requests that fail: whatever was thrown, in the words of the door that it happened at.
 * Once headers are out only the connection can tell, so it is cut, and no half of a body looks complete.
 */
export function createAnswerError(logger: Logger, formatFor: (req: IncomingMessage) => ErrorFormat): AnswerError {
  return function answerError(thrown, req, res) {
    const error = isUndecodablePath(thrown)
      ? new AppError('BAD_REQUEST', 'The path does not decode.')
      : toAppError(thrown);
    logError(logger, error, requestIdOf(res));
    noteError(notesOf(res), error.code);
    if (res.headersSent) {
      res.destroy();
      return;
    }
    const { contentType, present } = formatFor(req);
    const { status, retryAfter }: ErrorRow = errorTable[error.code];
    if (retryAfter !== undefined) res.setHeader('Retry-After', retryAfter);
    const body = JSON.stringify(present(error, requestIdOf(res)));
    if (error.code === 'BODY_TOO_LARGE' && !req.complete) refuseBody(req, res, contentType, body);
    else send(res, status, contentType, body);
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
function refuseBody(req: IncomingMessage, res: ServerResponse, contentType: string, body: string): void {
  res.writeHead(errorTable.BODY_TOO_LARGE.status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
  });
  res.write(body);
  const timer = setTimeout(() => res.end(), LINGER_MS);
  req.once('close', () => {
    clearTimeout(timer);
    res.end();
  });
  req.resume();
}
