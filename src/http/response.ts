import { ServerResponse } from 'node:http';
import type { ErrorCode } from '../errors.ts';

/** What is learned of a request while it is answered; the log and the metrics read it in the end. */
export interface Notes {
  /** The kind of GraphQL operation; undefined where there is none. */
  operation: string | undefined;
  /** Of the errors in the answer, each once. */
  readonly errorCodes: ErrorCode[];
  /** Of the request's body, as far as it was read. */
  receivedBytes: number;
}

/** A response with what the policies know of its request. */
export class AppResponse extends ServerResponse implements Notes {
  /** Errors and log lines carry it too. */
  requestId = '';
  /** The template of the route that answers, where Express did not find it. */
  route: string | undefined;
  operation: string | undefined;
  readonly errorCodes: ErrorCode[] = [];
  receivedBytes = 0;
}

/** The listener makes no responses without notes; the types of Express and Node do not tell. */
export function notesOf(res: ServerResponse): Notes {
  return res as ServerResponse & Notes;
}

/** Notes that the answer has an error of this code. */
export function noteError({ errorCodes }: Notes, code: ErrorCode): void {
  if (!errorCodes.includes(code)) errorCodes.push(code);
}
