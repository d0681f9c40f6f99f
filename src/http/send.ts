import type { Response } from 'express';

export const JSON_TYPE = 'application/json; charset=utf-8';

/** Answers a body that is complete; HEAD gets the same headers and no body. */
export function send(res: Response, status: number, contentType: string, body: string): void {
  res.statusCode = status;
  res.setHeader('Content-Type', contentType);
  res.setHeader('Content-Length', Buffer.byteLength(body));
  res.end(body);
}

export function sendJson(res: Response, status: number, value: unknown): void {
  send(res, status, JSON_TYPE, JSON.stringify(value));
}
