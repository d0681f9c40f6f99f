import { parentPort, workerData } from 'node:worker_threads';
import type { StoredMessage } from '../../messages/message.ts';
import { createBatchInsert, type InsertResult } from './batch-insert.ts';
import { openConnection } from './connection.ts';
import { toStoreErrorCode } from './sqlite-error.ts';
import type { ErrorCode } from '../../errors.ts';

/** The thread's half of writer.ts: it owns the writing connection and may block on the disk. */

export interface WriterData {
  readonly path: string;
}

/** A batch to insert, or the wish to end. */
export type WriterRequest = readonly StoredMessage[] | 'close';

/** Sent once the batch is on disk, or once it failed as a whole; `ready` is sent once, at the start. */
export type WriterReply =
  'ready' | { readonly results: InsertResult[] } | { readonly code: ErrorCode; readonly reason: string };

/** Long enough for other processes' commits; a caller hears STORE_BUSY after it. */
const BUSY_TIMEOUT_MS = 2000;

const port = parentPort;
if (!port) throw new Error('writer.thread is started by writer.ts');

const db = openConnection({ path: (workerData as WriterData).path, busyTimeoutMs: BUSY_TIMEOUT_MS });
const batchInsert = createBatchInsert(db);

port.on('message', (request: WriterRequest) => {
  if (request === 'close') {
    db.close();
    port.close();
    return;
  }
  port.postMessage(runBatch(request));
});
port.postMessage('ready' satisfies WriterReply);

function runBatch(messages: readonly StoredMessage[]): WriterReply {
  try {
    return { results: batchInsert(messages) };
  } catch (error) {
    return { code: toStoreErrorCode(error), reason: error instanceof Error ? error.message : String(error) };
  }
}
