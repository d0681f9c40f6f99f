import type { ExecutionResult } from 'graphql';
import type { Notes } from '../http/response.ts';

/** What resolvers and plugins share during one operation. */
export interface GraphQLContext {
  readonly requestId: string;
  /** Where what is learned of the request is noted; the answer itself is not made there. */
  readonly notes: Notes;
  /** Bytes of message text that the operation may answer with, so far. */
  bytesRead: number;
  /** Of an operation that has run already; Apollo formats it and runs nothing. */
  result?: ExecutionResult;
}
