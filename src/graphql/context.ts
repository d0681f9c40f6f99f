import type { ExecutionResult } from 'graphql';
import type { RequestContext } from '../http/context.ts';

/** What resolvers and plugins share during one operation. */
export interface GraphQLContext {
  readonly request: RequestContext;
  /** UTF-16 units of message text in the result so far; the executor counts them. */
  textLength: number;
  /** The result of an operation that has run already; Apollo formats it and runs nothing. */
  result?: ExecutionResult;
}

export function createGraphQLContext(request: RequestContext): GraphQLContext {
  return { request, textLength: 0 };
}
