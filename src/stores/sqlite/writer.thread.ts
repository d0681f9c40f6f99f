import { workerData, type MessagePort } from 'node:worker_threads';
import type { StoredMessage } from '../../messages/message.ts';
import { createBatchInsert, type InsertResult } from './batch-insert.ts';
import { openConnection } from './connection.ts';
import { toSqliteFailure, type SqliteFailure } from './sqlite-error.ts';

/** The thread's half of writer.ts: it owns the writing connection and may block on the disk. */

export interface WriterData {
  readonly path: string;
  /** A channel of our own: on the thread's own one, node --watch speaks too. */
  readonly port: MessagePort;
}

/** A batch to insert, or the wish to end. */
export type WriterRequest = readonly StoredMessage[] | 'close';

/** Sent once the batch is on disk, or once it failed as a whole. At the start, one empty batch is answered. */
export type WriterReply = { readonly results: InsertResult[] } | { readonly failure: SqliteFailure };

/** Long enough for other processes' commits; a caller hears STORE_BUSY after it. */
const BUSY_TIMEOUT_MS = 2000;

const { path, port } = workerData as WriterData;
const db = openConnection({ path, busyTimeoutMs: BUSY_TIMEOUT_MS });
const batchInsert = createBatchInsert(db);

port.on('message', (request: WriterRequest) => {
  if (request === 'close') {
    db.close();
    port.close();
    return;
  }
  port.postMessage(runBatch(request));
});
port.postMessage({ results: [] } satisfies WriterReply);

/** @throws what SQLite did not throw, which ends the thread. */
function runBatch(messages: readonly StoredMessage[]): WriterReply {
  try {
    return { results: batchInsert(messages) };
  } catch (error) {
    const failure = toSqliteFailure(error);
    if (!failure) throw error;
    return { failure };
  }
}
