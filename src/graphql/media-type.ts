import Negotiator from 'negotiator';

const GRAPHQL_RESPONSE = 'application/graphql-response+json';
const mediaTypes = ['application/json', GRAPHQL_RESPONSE] as const;

/**
 * The media type of the answer (GraphQL over HTTP, "Media Types"); the older one where the client does not mind.
 * @returns undefined when the client takes neither.
 */
export function negotiateMediaType(accept: string | undefined): (typeof mediaTypes)[number] | undefined {
  if (accept === undefined) return 'application/json';
  return new Negotiator({ headers: { accept } }).mediaType([...mediaTypes]) as (typeof mediaTypes)[number] | undefined;
}

/** Whether a browser's address bar asks, rather than a client of the API. */
export function prefersHtml(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  return new Negotiator({ headers: { accept } }).mediaType([...mediaTypes, 'text/html']) === 'text/html';
}
