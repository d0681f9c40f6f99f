import { workerData, type MessagePort } from 'node:worker_threads';
import type { StoredMessage } from '../../messages/message.ts';
import { createBatchInsert, type InsertOutcome } from './batch-insert.ts';
import { createCheckpoint } from './checkpoint.ts';
import { openConnection, syncFolderOf } from './connection.ts';
import { createAssertInPlace } from './files-in-place.ts';
import { createBeginWrite } from './write-lock.ts';

/** The thread's half of writer.ts: it owns the writing connection and may block on the disk. */

export interface WriterData {
  readonly path: string;
  /** A channel of our own: on the thread's own one, node --watch speaks too. */
  readonly port: MessagePort;
}

/** A batch to insert, or the wish to end. */
export type WriterRequest = readonly StoredMessage[] | 'close';

/** Sent once the batch is on disk, or once it failed. At the start, one empty batch is answered. */
export type WriterReply = InsertOutcome;

/** Another process may hold the file while it recovers the log of one that died. */
const OPEN_TIMEOUT_MS = 2000;

const { path, port } = workerData as WriterData;
const db = openConnection({ path, busyTimeoutMs: OPEN_TIMEOUT_MS });
syncFolderOf(path);
const assertInPlace = createAssertInPlace(db, path);
const beginWrite = createBeginWrite(db);
const batchInsert = createBatchInsert(db, beginWrite);
const checkpointWhenDue = createCheckpoint(db, beginWrite);
// From here on write-lock.ts waits, in SQLite's place.
db.exec('PRAGMA busy_timeout = 0');

port.on('message', (request: WriterRequest) => {
  if (request === 'close') {
    db.close();
    port.close();
    return;
  }
  try {
    assertInPlace();
    const outcome: WriterReply = batchInsert(request);
    assertInPlace();
    port.postMessage(outcome);
    checkpointWhenDue();
  } catch (error) {
    // Now, while the store has its other connection open: the last one to close would sync again.
    db.close();
    // This ends the thread, and with it all writing.
    throw error;
  }
});
port.postMessage(new Map() satisfies WriterReply);
