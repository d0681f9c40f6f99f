/** One row of the error table: what a code means to a client and to the log. */
export interface ErrorRow {
  /** HTTP status of the REST answer, and of a GraphQL answer that has no data. */
  readonly status: number;
  /** The public sentence, unless the place that throws knows a better one. */
  readonly sentence: string;
  /** `silent`: the access line says enough; the others also log the error itself. */
  readonly level: 'silent' | 'warn' | 'error';
  /** Seconds after which a client may try again (RFC 9110, 10.2.3). */
  readonly retryAfter?: number;
}

/**
 * The one error table. REST answers `{"error": sentence, "code": CODE, "requestId": id}`, GraphQL puts the same
 * sentence and code in `errors[].message` and `errors[].extensions.code`.
 */
export const errorTable = {
  BAD_REQUEST: { status: 400, sentence: 'The request is malformed.', level: 'silent' },
  BAD_USER_INPUT: { status: 400, sentence: 'The input is not valid.', level: 'silent' },
  INVALID_JSON: { status: 400, sentence: 'The body is not valid JSON.', level: 'silent' },
  INVALID_UTF8: { status: 400, sentence: 'The body is not valid UTF-8.', level: 'silent' },
  GRAPHQL_PARSE_FAILED: { status: 400, sentence: 'The document does not parse.', level: 'silent' },
  GRAPHQL_VALIDATION_FAILED: { status: 400, sentence: 'The document is not valid for this schema.', level: 'silent' },
  OPERATION_RESOLUTION_FAILURE: { status: 400, sentence: 'The document has no such operation.', level: 'silent' },
  QUERY_TOO_COMPLEX: { status: 400, sentence: 'The operation asks for too much.', level: 'silent' },
  NOT_FOUND: { status: 404, sentence: 'There is nothing here.', level: 'silent' },
  METHOD_NOT_ALLOWED: { status: 405, sentence: 'This path does not take that method.', level: 'silent' },
  NOT_ACCEPTABLE: { status: 406, sentence: 'None of the media types in Accept can be served here.', level: 'silent' },
  REQUEST_TIMEOUT: { status: 408, sentence: 'The request took too long to arrive.', level: 'silent' },
  BODY_TOO_LARGE: { status: 413, sentence: 'The body is too large.', level: 'silent' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, sentence: 'The body is in an unsupported format.', level: 'silent' },
  HEADERS_TOO_LARGE: { status: 431, sentence: 'The request line and headers are too large.', level: 'silent' },
  INTERNAL: { status: 500, sentence: 'Internal server error', level: 'error' },
  INTEGRITY_ERROR: {
    status: 500,
    sentence: 'The stored message does not match its digest and is not served.',
    level: 'error',
  },
  NOT_READY: { status: 503, sentence: 'The service is stopping.', level: 'silent', retryAfter: 1 },
  OVERLOADED: { status: 503, sentence: 'Too much to do; try again in a moment.', level: 'silent', retryAfter: 1 },
  STORE_BUSY: { status: 503, sentence: 'The store is busy; try again in a moment.', level: 'warn', retryAfter: 1 },
  STORE_UNAVAILABLE: {
    status: 503,
    sentence: 'The store is unavailable.',
    level: 'error',
    retryAfter: 1,
  },
  // Said by nginx, where no instance answers it; see deploy/nginx.
  UNAVAILABLE: {
    status: 503,
    sentence: 'The service cannot be reached; try again in a moment.',
    level: 'silent',
    retryAfter: 1,
  },
  STORE_FULL: { status: 507, sentence: 'The store is full; nothing was stored.', level: 'error' },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(errorTable, value);
}

/**
 * An error that a client may see. `message` is its public sentence and never holds input, SQL, a path or a stack;
 * private detail goes into `cause`.
 */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, sentence: string = errorTable[code].sentence, options?: ErrorOptions) {
    super(sentence, options);
    this.code = code;
  }
}

/** The error itself if clients may see it, otherwise INTERNAL with the error as its private cause. */
export function toAppError(error: unknown): AppError {
  return error instanceof AppError ? error : new AppError('INTERNAL', undefined, { cause: error });
}
