/* eslint-disable */
import * as types from './graphql.ts';



/**
 * Map of all GraphQL operations in the project.
 *
 * This map has several performance disadvantages:
 * 1. It is not tree-shakeable, so it will include all operations in the project.
 * 2. It is not minifiable, so the string of a GraphQL query will be multiple times inside the bundle.
 * 3. It does not support dead code elimination, so it will add unused operations.
 *
 * Therefore it is highly recommended to use the babel or swc plugin for production.
 * Learn more about it here: https://the-guild.dev/graphql/codegen/plugins/presets/preset-client#reducing-bundle-size
 */
type Documents = {
    "mutation AddMessage($text: String!) {\n  addMessage(text: $text) {\n    sha\n    text\n    bytes\n    createdAt\n  }\n}": typeof types.AddMessageDocument,
    "query MessageBySha($sha: Sha256!) {\n  messageBySha(sha: $sha) {\n    sha\n    text\n    bytes\n    createdAt\n  }\n}": typeof types.MessageByShaDocument,
    "query Messages($first: Int, $after: Sha256, $last: Int, $before: Sha256) {\n  messages(first: $first, after: $after, last: $last, before: $before) {\n    nodes {\n      sha\n      text\n    }\n    edges {\n      cursor\n    }\n    pageInfo {\n      hasNextPage\n      hasPreviousPage\n      startCursor\n      endCursor\n    }\n  }\n}": typeof types.MessagesDocument,
};
const documents: Documents = {
    "mutation AddMessage($text: String!) {\n  addMessage(text: $text) {\n    sha\n    text\n    bytes\n    createdAt\n  }\n}": types.AddMessageDocument,
    "query MessageBySha($sha: Sha256!) {\n  messageBySha(sha: $sha) {\n    sha\n    text\n    bytes\n    createdAt\n  }\n}": types.MessageByShaDocument,
    "query Messages($first: Int, $after: Sha256, $last: Int, $before: Sha256) {\n  messages(first: $first, after: $after, last: $last, before: $before) {\n    nodes {\n      sha\n      text\n    }\n    edges {\n      cursor\n    }\n    pageInfo {\n      hasNextPage\n      hasPreviousPage\n      startCursor\n      endCursor\n    }\n  }\n}": types.MessagesDocument,
};

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation AddMessage($text: String!) {\n  addMessage(text: $text) {\n    sha\n    text\n    bytes\n    createdAt\n  }\n}"): typeof import('./graphql.ts').AddMessageDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "query MessageBySha($sha: Sha256!) {\n  messageBySha(sha: $sha) {\n    sha\n    text\n    bytes\n    createdAt\n  }\n}"): typeof import('./graphql.ts').MessageByShaDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "query Messages($first: Int, $after: Sha256, $last: Int, $before: Sha256) {\n  messages(first: $first, after: $after, last: $last, before: $before) {\n    nodes {\n      sha\n      text\n    }\n    edges {\n      cursor\n    }\n    pageInfo {\n      hasNextPage\n      hasPreviousPage\n      startCursor\n      endCursor\n    }\n  }\n}"): typeof import('./graphql.ts').MessagesDocument;


export function graphql(source: string) {
  return (documents as any)[source] ?? {};
}
