import { once } from 'node:events';
import { extname } from 'node:path';
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { AppError } from '../../errors.ts';
import type { StoredMessage } from '../../messages/message.ts';
import { toStoreError } from './sqlite-error.ts';
import type { WriterData, WriterReply, WriterRequest } from './writer.thread.ts';

/** Bounds one transaction, and with it how long a reply may wait for its neighbours. */
const MAX_BATCH_MESSAGES = 512;
/** In UTF-16 units of text. */
const MAX_BATCH_LENGTH = 16 * 1024 * 1024;

/** The thread makes little garbage; V8 would let its heap for it grow as large as the service's own. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 8 };

interface PendingWrite {
  readonly message: StoredMessage;
  readonly resolve: (known: StoredMessage | undefined) => void;
  readonly reject: (error: AppError) => void;
}

/** Where a store sends its writes. */
export interface Writer {
  /** As the store's own `add`. */
  add(message: StoredMessage): Promise<StoredMessage | undefined>;
  /** Why nothing can be written any more, or undefined. */
  readonly failure: AppError | undefined;
  /** Never resolves; rejects with `failure` when it happens. */
  readonly failed: Promise<never>;
  /** Finishes what was added, then ends. */
  close(): Promise<void>;
}

/**
 * Group commit: one batch is on its way to the disk, and what arrives meanwhile becomes the next one, so that any
 * number of concurrent writes costs one sync. The disk is waited for in a thread, never in the event loop. Every
 * write settles only after the commit of its own batch.
 */
export class ThreadWriter implements Writer {
  readonly #port: MessagePort;
  readonly #ended: Promise<void>;
  readonly #failed = Promise.withResolvers<never>();
  #queue: PendingWrite[] = [];
  #batch: PendingWrite[] = [];
  #failure: AppError | undefined;
  #sending: NodeJS.Immediate | undefined;
  #closing = false;

  private constructor(thread: Worker, port: MessagePort) {
    this.#port = port;
    // Whoever does not wait for the failure hears of it by the rejection of every write.
    this.#failed.promise.catch(() => undefined);
    port.on('message', (reply: WriterReply) => {
      this.#settle(reply);
    });
    thread.on('error', (error: Error) => {
      this.#fail(error);
    });
    this.#ended = new Promise((resolve) => {
      thread.on('exit', () => {
        if (!this.#closing || this.#batch.length > 0) this.#fail(new Error('the writer thread ended'));
        resolve();
      });
    });
  }

  /** Resolves when the thread has its connection; rejects with what kept it from opening the file. */
  static async start(path: string): Promise<ThreadWriter> {
    // The thread's file has this file's own extension: .ts where sources run as they are, .js in dist.
    const file = new URL(`./writer.thread${extname(import.meta.url)}`, import.meta.url);
    const { port1: port, port2 } = new MessageChannel();
    const workerData: WriterData = { path, port: port2 };
    const thread = new Worker(file, { workerData, transferList: [port2], resourceLimits: RESOURCE_LIMITS });
    const ended = once(thread, 'exit').then(() => Promise.reject(new Error('the writer thread ended')));
    await Promise.race([once(port, 'message'), ended]);
    return new ThreadWriter(thread, port);
  }

  get failure(): AppError | undefined {
    return this.#failure;
  }

  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  add(message: StoredMessage): Promise<StoredMessage | undefined> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#queue.push({ message, resolve, reject });
      if (this.#batch.length === 0) this.#sendSoon();
    });
  }

  async close(): Promise<void> {
    this.#closing = true;
    // The port keeps its order, so a batch under way is answered first; `#sendNext` closes after the last one.
    if (!this.#failure && this.#batch.length === 0) this.#sendSoon();
    await this.#ended;
  }

  /** Once the event loop has handed out what has arrived: what it brings in the same turn shares the batch. */
  #sendSoon(): void {
    this.#sending ??= setImmediate(() => {
      this.#sending = undefined;
      this.#sendNext();
    });
  }

  #sendNext(): void {
    this.#batch = this.#takeBatch();
    if (this.#batch.length > 0) this.#post(this.#batch.map(({ message }) => message));
    else if (this.#closing) this.#post('close');
  }

  #takeBatch(): PendingWrite[] {
    let length = 0;
    const end = this.#queue.findIndex(({ message }, index) => {
      length += message.text.length;
      return index === MAX_BATCH_MESSAGES || (index > 0 && length > MAX_BATCH_LENGTH);
    });
    return this.#queue.splice(0, end === -1 ? this.#queue.length : end);
  }

  #settle(reply: WriterReply): void {
    this.#batch.forEach(({ resolve, reject }, index) => {
      const outcome = reply.get(index);
      if (outcome && 'errcode' in outcome) reject(toStoreError(outcome));
      else resolve(outcome);
    });
    this.#batch = [];
    this.#sendSoon();
  }

  #fail(cause: Error): void {
    this.#failure ??= new AppError('STORE_UNAVAILABLE', undefined, { cause });
    this.#failed.reject(this.#failure);
    for (const { reject } of [...this.#batch, ...this.#queue]) reject(this.#failure);
    this.#batch = [];
    this.#queue = [];
  }

  #post(request: WriterRequest): void {
    this.#port.postMessage(request);
  }
}
