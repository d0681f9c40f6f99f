/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
export type AddMessageMutationVariables = Exact<{
  text: string;
}>;


export type AddMessageMutation = { addMessage: { sha: string, text: string, bytes: number, createdAt: string } };

export type MessageByShaQueryVariables = Exact<{
  sha: string;
}>;


export type MessageByShaQuery = { messageBySha: { sha: string, text: string, bytes: number, createdAt: string } | null };

export type MessagesQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}>;


export type MessagesQuery = { messages: { nodes: Array<{ sha: string, text: string }>, edges: Array<{ cursor: string }>, pageInfo: { hasNextPage: boolean, hasPreviousPage: boolean, startCursor: string | null, endCursor: string | null } } };

export class TypedDocumentString<TResult, TVariables>
  extends String
  implements DocumentTypeDecoration<TResult, TVariables>
{
  __apiType?: NonNullable<DocumentTypeDecoration<TResult, TVariables>['__apiType']>;
  private value: string;
  public __meta__?: Record<string, any> | undefined;

  constructor(value: string, __meta__?: Record<string, any> | undefined) {
    super(value);
    this.value = value;
    this.__meta__ = __meta__;
  }

  override toString(): string & DocumentTypeDecoration<TResult, TVariables> {
    return this.value;
  }
}

export const AddMessageDocument = new TypedDocumentString(`
    mutation AddMessage($text: String!) {
  addMessage(text: $text) {
    sha
    text
    bytes
    createdAt
  }
}
    `) as unknown as TypedDocumentString<AddMessageMutation, AddMessageMutationVariables>;
export const MessageByShaDocument = new TypedDocumentString(`
    query MessageBySha($sha: Sha256!) {
  messageBySha(sha: $sha) {
    sha
    text
    bytes
    createdAt
  }
}
    `) as unknown as TypedDocumentString<MessageByShaQuery, MessageByShaQueryVariables>;
export const MessagesDocument = new TypedDocumentString(`
    query Messages($first: Int, $after: Sha256, $last: Int, $before: Sha256) {
  messages(first: $first, after: $after, last: $last, before: $before) {
    nodes {
      sha
      text
    }
    edges {
      cursor
    }
    pageInfo {
      hasNextPage
      hasPreviousPage
      startCursor
      endCursor
    }
  }
}
    `) as unknown as TypedDocumentString<MessagesQuery, MessagesQueryVariables>;