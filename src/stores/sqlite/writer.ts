import { once } from 'node:events';
import { extname } from 'node:path';
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { AppError } from '../../errors.ts';
import type { StoredMessage } from '../../messages/message.ts';
import type { StoreStats } from '../../messages/message.store.ts';
import { GroupCommit, type BatchOutcome } from '../group-commit.ts';
import { toStoreError } from './sqlite-error.ts';
import type { WriterData, WriterReply, WriterRequest } from './writer.thread.ts';

/** The thread makes little garbage; V8 would let its heap for it grow as large as the service's own. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 8 };

/** Where a store sends its writes. */
export interface Writer {
  /** As the store's own `add`. */
  add(message: StoredMessage): Promise<StoredMessage | undefined>;
  /** Why nothing can be written any more, or undefined. */
  readonly failure: AppError | undefined;
  /** Never resolves; rejects with `failure` when it happens. */
  readonly failed: Promise<never>;
  /** As of `GroupCommit`; undefined where every message is a transaction of its own. */
  readonly batches: StoreStats['batches'] | undefined;
  /** Finishes what was added, then ends. */
  close(): Promise<void>;
}

/** Writes in a thread, because the disk must never be waited for in the event loop. */
export class ThreadWriter implements Writer {
  readonly #port: MessagePort;
  readonly #ended: Promise<void>;
  readonly #failed = Promise.withResolvers<never>();
  readonly #groupCommit = new GroupCommit((messages) => this.#commit(messages));
  /** Of the batch that the thread has. */
  #reply: PromiseWithResolvers<BatchOutcome> | undefined;
  #failure: AppError | undefined;
  #isClosing = false;

  private constructor(thread: Worker, port: MessagePort) {
    this.#port = port;
    // Whoever does not wait for the failure hears of it by the rejection of every write.
    this.#failed.promise.catch(() => undefined);
    port.on('message', (reply: WriterReply) => this.#reply?.resolve(toBatchOutcome(reply)));
    thread.on('error', (error: Error) => {
      this.#fail(error);
    });
    this.#ended = new Promise((resolve) => {
      thread.on('exit', () => {
        if (!this.#isClosing) this.#fail(new Error('the writer thread ended'));
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

  get batches(): StoreStats['batches'] {
    return this.#groupCommit.batches;
  }

  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  add(message: StoredMessage): Promise<StoredMessage | undefined> {
    return this.#failure ? Promise.reject(this.#failure) : this.#groupCommit.add(message);
  }

  async close(): Promise<void> {
    await this.#groupCommit.drain();
    this.#isClosing = true;
    if (!this.#failure) this.#post('close');
    await this.#ended;
  }

  #commit(messages: readonly StoredMessage[]): Promise<BatchOutcome> {
    if (this.#failure) return Promise.reject(this.#failure);
    this.#reply = Promise.withResolvers();
    this.#post(messages);
    return this.#reply.promise;
  }

  #fail(cause: Error): void {
    this.#failure ??= new AppError('STORE_UNAVAILABLE', undefined, { cause });
    this.#failed.reject(this.#failure);
    this.#reply?.reject(this.#failure);
  }

  #post(request: WriterRequest): void {
    this.#port.postMessage(request);
  }
}

function toBatchOutcome(reply: WriterReply): BatchOutcome {
  return new Map([...reply].map(([index, outcome]) => [index, 'errcode' in outcome ? toStoreError(outcome) : outcome]));
}
