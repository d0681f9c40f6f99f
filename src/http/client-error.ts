import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { AppError, errorTable, type ErrorCode } from '../errors.ts';
import { restErrorFormat } from './respond-error.ts';
import { JSON_TYPE } from './respond.ts';

const codes: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
};

/**
 * What Node's HTTP parser refuses never becomes a request, so its answer is written to the socket itself.
 * @returns the code of that answer, if there was anybody to answer.
 */
export function answerClientError({ code = '' }: NodeJS.ErrnoException, socket: Duplex): ErrorCode | undefined {
  // The rest are errors of the connection and of TLS: there is nobody to answer, and no secure way.
  if (!/^(HPE_|ERR_HTTP_)/.test(code) || !socket.writable) {
    socket.destroy();
    return undefined;
  }
  const error = new AppError(codes[code] ?? 'BAD_REQUEST');
  const { status } = errorTable[error.code];
  const requestId = randomUUID();
  const body = JSON.stringify(restErrorFormat.present(error, requestId));
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      `Content-Type: ${JSON_TYPE}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Request-Id: ${requestId}`,
      'Cache-Control: no-store',
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
  return error.code;
}
