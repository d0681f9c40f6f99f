import { GraphQLError, print, type GraphQLFormattedError } from 'graphql';
import { AppError, errorTable, isErrorCode, toAppError, type ErrorCode, type ErrorRow } from '../errors.ts';
import type { ErrorFormat } from '../http/respond-error.ts';
import { negotiateMediaType } from './media-type.ts';

const MAX_MESSAGE_LENGTH = 300;

/** For errors outside of any operation (a malformed body, a wrong method), shaped as a GraphQL response. */
export const graphqlErrorFormat: ErrorFormat = {
  contentType: ({ req }) => `${negotiateMediaType(req.headers.accept) ?? 'application/json'}; charset=utf-8`,
  present: (error, requestId) => ({
    errors: [{ message: error.message, extensions: { ...extensionsOf(error.code), requestId } }],
  }),
};

/**
 * Apollo's hook: whatever went wrong in an operation, as the error table says it. Only our own errors and the
 * findings of graphql-js about the request keep their sentence; everything else is INTERNAL.
 */
export function formatError(formatted: GraphQLFormattedError, thrown: unknown): GraphQLFormattedError {
  const { code, message } = classifyError(thrown, formatted.extensions?.['code']);
  const { locations, path } = formatted;
  return { message, ...(locations && { locations }), ...(path && { path }), extensions: extensionsOf(code) };
}

/** The error of the table behind what Apollo collected: ours, one about the request, or INTERNAL. */
export function classifyError(thrown: unknown, apolloCode: unknown): AppError {
  const cause = findCause(thrown);
  if (!(thrown instanceof GraphQLError && cause instanceof GraphQLError)) return toAppError(cause);
  const code = isErrorCode(apolloCode) && apolloCode !== 'INTERNAL' ? apolloCode : 'BAD_USER_INPUT';
  // Apollo's own findings about the request; they quote nothing.
  if (code === 'BAD_REQUEST') return new AppError(code, thrown.message.trimEnd());
  // Its sentence would repeat the name that was asked for, which can be any string.
  if (code === 'OPERATION_RESOLUTION_FAILURE') return new AppError(code);
  return new AppError(code, withoutInput(thrown));
}

/** `retryAfter`: what REST says in a header, which has no meaning beside the status 200 of an operation that was run. */
function extensionsOf(code: ErrorCode): { code: ErrorCode; retryAfter?: number } {
  const { retryAfter }: ErrorRow = errorTable[code];
  return { code, ...(retryAfter !== undefined && { retryAfter }) };
}

/** Errors are wrapped on their way: by graphql-js to add a path, by Apollo to add a code. */
function findCause(thrown: unknown): unknown {
  let error = thrown;
  while (error instanceof GraphQLError && error.originalError) error = error.originalError;
  return error;
}

/** graphql-js quotes what it was given; that may be a text, which no error repeats. */
function withoutInput(error: GraphQLError): string {
  const variable = /^Variable "\$(\w+)" got invalid value /.exec(error.message)?.[1];
  if (variable !== undefined) return shorten(`Variable "$${variable}" got an invalid value.`);
  const quoted = (error.nodes ?? []).filter((node) => node.kind.endsWith('Value')).map(print);
  const message = quoted
    .reduce((text, value) => text.replaceAll(value, '…'), error.message)
    .replace(/\b(Name|Int|Float|String|BlockString) ".*"/s, '$1');
  return shorten(message);
}

function shorten(message: string): string {
  return message.length > MAX_MESSAGE_LENGTH ? `${message.slice(0, MAX_MESSAGE_LENGTH - 1)}…` : message;
}
