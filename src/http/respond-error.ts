import { AppError, errorTable, toAppError, type ErrorRow } from '../errors.ts';
import type { Logger } from '../observability/logger.ts';
import type { RequestContext } from './context.ts';
import { JSON_TYPE, send, sendEarly } from './respond.ts';
import { allowedMethods } from './route.ts';

/** How one API presents an error. */
export interface ErrorFormat {
  readonly contentType: (context: RequestContext) => string;
  readonly present: (error: AppError, requestId: string) => unknown;
}

export const restErrorFormat: ErrorFormat = {
  contentType: () => JSON_TYPE,
  present: (error, requestId) => ({ error: error.message, code: error.code, requestId }),
};

/** Logs an error if its row of the error table asks for it. */
export function logError(logger: Logger, error: AppError, requestId: string): void {
  const { level } = errorTable[error.code];
  if (level !== 'silent' && !isOutageRefusal(error)) logger[level]({ requestId, err: error }, error.code);
}

/** An outage is logged once, when it is detected; requests refused during it appear only in the access log. */
function isOutageRefusal({ code, cause }: AppError): boolean {
  return code === 'STORE_UNAVAILABLE' && cause === undefined;
}

/** Responds with the error that was thrown. */
export type RespondError = (context: RequestContext, thrown: unknown) => void;

/**
 * Makes the end of all requests that fail: whatever was thrown, in the format of the API that was called. Once there
 * is a response, only a cut connection can tell the client, so that half a body never looks complete.
 */
export function createRespondError(logger: Logger): RespondError {
  return function respondError(context, thrown) {
    const error = toPublicError(thrown);
    logError(logger, error, context.id);
    context.noteError(error.code);
    const { req, res, route } = context;
    if (context.hasResponded) {
      res.destroy();
      return;
    }
    const { contentType, present } = route?.api.errorFormat ?? restErrorFormat;
    const body = JSON.stringify(present(error, context.id));
    const respond = error.code === 'BODY_TOO_LARGE' && !req.complete ? sendEarly : send;
    respond(context, contentType(context), body, { status: errorTable[error.code].status, headers: headersFor(error, context) }); // prettier-ignore
  };
}

/** Express decodes the parameter of a path with decodeURIComponent. */
function toPublicError(thrown: unknown): AppError {
  return thrown instanceof URIError ? new AppError('BAD_REQUEST', 'The path does not decode.') : toAppError(thrown);
}

function headersFor({ code }: AppError, { route }: RequestContext): readonly string[] {
  const { retryAfter }: ErrorRow = errorTable[code];
  return [
    ...(retryAfter === undefined ? [] : ['Retry-After', String(retryAfter)]),
    // RFC 9110, 15.5.6: a 405 says which methods the path has.
    ...(code === 'METHOD_NOT_ALLOWED' && route ? ['Allow', allowedMethods(route)] : []),
  ];
}
