import type { ExecutionResult } from 'graphql';

/** What resolvers and plugins share during one operation. */
export interface GraphQLContext {
  readonly requestId: string;
  /** Bytes of message text that the operation may answer with, so far. */
  bytesRead: number;
  /** Of an operation that has run already; Apollo formats it and runs nothing. */
  result?: ExecutionResult;
}
