import { ServerResponse } from 'node:http';

/** A response with what the policies know of its request. */
export class AppResponse extends ServerResponse {
  /** Errors and log lines carry it too. */
  requestId = '';
  /** The template of the route that answers, where Express did not find it. */
  route: string | undefined;
}
