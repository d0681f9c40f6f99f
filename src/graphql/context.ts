/** What resolvers and plugins share during one operation. */
export interface GraphQLContext {
  readonly requestId: string;
  /** Bytes of message text that the operation has read so far. */
  bytesRead: number;
}
