import type { ApolloServerPlugin } from '@apollo/server';
import { getVariableValues, GraphQLError, type GraphQLFormattedError } from 'graphql';
import { AppError } from '../errors.ts';
import type { GraphQLContext } from './context.ts';
import { createCost } from './operation-cost.ts';

/** One page of 1000 with everything fits, and three short ones. */
export const MAX_COST = 35_000;

/** UTF-16 units of message text in one response, unless a single message may have more: aliases can repeat a text. */
const MAX_ANSWER_LENGTH = 16 * 1024 * 1024;

export function answerLimitFor(maxMessageBytes: number): number {
  return Math.max(MAX_ANSWER_LENGTH, 2 * maxMessageBytes);
}

/** Whether the texts of a result are too long for one response. */
export function exceeds(answerLimit: number, { textLength }: GraphQLContext): boolean {
  return textLength > answerLimit;
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
          if (body.kind === 'single' && exceeds(answerLimit, contextValue)) body.singleResult = tooLargeAnswer();
          return Promise.resolve();
        },
      }),
  };
}

function tooLargeAnswer(): { errors: GraphQLFormattedError[] } {
  const error = new AppError('QUERY_TOO_COMPLEX', 'The answer would be too large; ask for fewer items at a time.');
  return { errors: [{ message: error.message, extensions: { code: error.code } }] };
}
