import type { ApolloServerPlugin } from '@apollo/server';
import { GraphQLError } from 'graphql';
import { AppError } from '../errors.ts';
import type { GraphQLContext } from './context.ts';
import { MAX_ALIASES } from './document-limits.ts';
import { costOf } from './operation-cost.ts';

/** One page of 1000 with everything fits, and three short ones. */
const MAX_COST = 35_000;

/** Characters in one answer, unless a message alone may have more; aliases can multiply what was read. */
const MAX_ANSWER_LENGTH = 16 * 1024 * 1024;

/** What depends on variables, and on what was found. */
export function limitOperation(maxMessageBytes: number): ApolloServerPlugin<GraphQLContext> {
  const maxAnswerLength = Math.max(MAX_ANSWER_LENGTH, 2 * maxMessageBytes);
  // With fewer bytes read, no permitted number of aliases reaches that.
  const uncheckedBytes = maxAnswerLength / (2 * MAX_ALIASES);
  return {
    requestDidStart: () =>
      Promise.resolve({
        didResolveOperation({ schema, document, operation, request: { variables } }) {
          if (operation && costOf(schema, document, operation, variables ?? {}) > MAX_COST) {
            const error = new AppError('QUERY_TOO_COMPLEX', 'The operation asks for too many items in one answer.');
            // Apollo answers 500 to what is thrown before execution, unless it names a status.
            return Promise.reject(
              new GraphQLError(error.message, { originalError: error, extensions: { http: { status: 400 } } }),
            );
          }
          return Promise.resolve();
        },
        willSendResponse({ contextValue, response: { body } }) {
          if (contextValue.bytesRead <= uncheckedBytes || body.kind !== 'single') return Promise.resolve();
          if (textLengthOf(body.singleResult.data) > maxAnswerLength) {
            const error = new AppError(
              'QUERY_TOO_COMPLEX',
              'The answer would be too large; ask for fewer items at a time.',
            );
            body.singleResult = { errors: [{ message: error.message, extensions: { code: error.code } }] };
          }
          return Promise.resolve();
        },
      }),
  };
}

function textLengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  let length = 0;
  for (const part of Object.values(value)) length += textLengthOf(part);
  return length;
}
