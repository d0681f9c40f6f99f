import type { ApolloServerPlugin } from '@apollo/server';
import { getVariableValues, GraphQLError, type GraphQLFormattedError } from 'graphql';
import { AppError } from '../errors.ts';
import type { GraphQLContext } from './context.ts';
import { MAX_ALIASES } from './document-limits.ts';
import { createCost } from './operation-cost.ts';

/** One page of 1000 with everything fits, and three short ones. */
export const MAX_COST = 35_000;

/** Characters in one answer, unless a message alone may have more; aliases can multiply what was read. */
const MAX_ANSWER_LENGTH = 16 * 1024 * 1024;

export function answerLimitFor(maxMessageBytes: number): number {
  return Math.max(MAX_ANSWER_LENGTH, 2 * maxMessageBytes);
}

/** Whether the texts that were read suffice for an answer above the limit; the permitted aliases may repeat each. */
export function mayExceed(answerLimit: number, { bytesRead }: GraphQLContext): boolean {
  return bytesRead > answerLimit / (2 * MAX_ALIASES);
}

/** What depends on variables, and on what was found. */
export function limitOperation(answerLimit: number): ApolloServerPlugin<GraphQLContext> {
  return {
    requestDidStart: () =>
      Promise.resolve({
        didResolveOperation({ schema, document, operation, request: { variables = {} } }) {
          if (!operation) return Promise.resolve();
          const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
          // Variables that do not fit are for execution to refuse, in its own words.
          if (!coerced || createCost(schema, document, operation)(coerced) <= MAX_COST) return Promise.resolve();
          const error = new AppError('QUERY_TOO_COMPLEX', 'The operation asks for too many items in one answer.');
          // Apollo answers 500 to what is thrown before execution, unless it names a status.
          return Promise.reject(
            new GraphQLError(error.message, { originalError: error, extensions: { http: { status: 400 } } }),
          );
        },
        willSendResponse({ contextValue, response: { body } }) {
          if (body.kind === 'single' && mayExceed(answerLimit, contextValue)) {
            if (textLengthOf(body.singleResult.data) > answerLimit) body.singleResult = tooLargeAnswer();
          }
          return Promise.resolve();
        },
      }),
  };
}

function tooLargeAnswer(): { errors: GraphQLFormattedError[] } {
  const error = new AppError('QUERY_TOO_COMPLEX', 'The answer would be too large; ask for fewer items at a time.');
  return { errors: [{ message: error.message, extensions: { code: error.code } }] };
}

function textLengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  let length = 0;
  for (const part of Object.values(value)) length += textLengthOf(part);
  return length;
}
