import Negotiator from 'negotiator';

const GRAPHQL_RESPONSE = 'application/graphql-response+json';
const mediaTypes = ['application/json', GRAPHQL_RESPONSE] as const;
export type MediaType = (typeof mediaTypes)[number];

/**
 * The media type of the answer (GraphQL over HTTP, "Media Types"); the older one where the client does not mind.
 * @returns undefined when the client takes neither.
 */
export function negotiateMediaType(accept: string | undefined): MediaType | undefined {
  if (accept === undefined || accept === '*/*' || accept === 'application/json') return 'application/json';
  return new Negotiator({ headers: { accept: withoutCharset(accept) } }).mediaType([...mediaTypes]) as
    MediaType | undefined;
}

/** Whether a browser's address bar asks, rather than a client of the API. */
export function prefersHtml(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  return new Negotiator({ headers: { accept } }).mediaType([...mediaTypes, 'text/html']) === 'text/html';
}

/** Answers are always UTF-8; the negotiator would take a range with a parameter for another type. */
function withoutCharset(accept: string): string {
  return accept.replace(/;\s*charset\s*=\s*"?utf-8"?/gi, '');
}
