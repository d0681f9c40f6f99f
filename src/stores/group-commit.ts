import { AppError } from '../errors.ts';
import type { StoredMessage } from '../messages/message.ts';

/** Bounds one transaction, and with it how long a reply may wait for its neighbours. */
const MAX_BATCH_MESSAGES = 512;
/** In UTF-16 units of text. */
const MAX_BATCH_LENGTH = 16 * 1024 * 1024;

/** Bounds what waits while commits take long: beyond it, it is better to be refused than to wait. */
const MAX_WAITING_MESSAGES = 16 * MAX_BATCH_MESSAGES;
const MAX_WAITING_LENGTH = 8 * MAX_BATCH_LENGTH;

/**
 * What became of the messages of a batch that are not simply new, by their place in it: a known one, as it was first
 * stored, or why one was not stored.
 */
export type BatchOutcome<Failure = AppError> = ReadonlyMap<number, StoredMessage | Failure>;

/** Resolves once the batch is on disk; rejects when nothing of it is stored, or when nobody knows. */
export type CommitBatch = (messages: readonly StoredMessage[]) => Promise<BatchOutcome>;

interface PendingWrite {
  readonly message: StoredMessage;
  readonly resolve: (known: StoredMessage | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One batch is on its way to the disk, and what arrives meanwhile becomes the next one, so that any number of concurrent
 * writes costs one commit. Messages are stored in the order in which they were added; every write settles only after the
 * commit of its own batch.
 */
export class GroupCommit {
  readonly #commit: CommitBatch;
  readonly #maxBatchLength: number;
  #queue: PendingWrite[] = [];
  #queueLength = 0;
  #isCommitting = false;
  #next: NodeJS.Immediate | undefined;
  #onIdle: (() => void) | undefined;
  #batches = 0;
  #messages = 0;

  /** @param maxBatchLength bounds one batch, in UTF-16 units of text; a message that has more is a batch of its own. */
  constructor(commit: CommitBatch, maxBatchLength = MAX_BATCH_LENGTH) {
    this.#commit = commit;
    this.#maxBatchLength = maxBatchLength;
  }

  /** How many batches were committed so far, and how many messages they had, known ones too. */
  get batches(): { readonly count: number; readonly messages: number } {
    return { count: this.#batches, messages: this.#messages };
  }

  /**
   * @returns as `MessageStore.add` does; rejects with the failure of the message, or of its whole batch, or with STORE_BUSY
   * when too much is waiting already.
   */
  add(message: StoredMessage): Promise<StoredMessage | undefined> {
    if (this.#queue.length >= MAX_WAITING_MESSAGES || this.#queueLength >= MAX_WAITING_LENGTH) {
      return Promise.reject(new AppError('STORE_BUSY'));
    }
    this.#queueLength += message.text.length;
    return new Promise((resolve, reject) => {
      this.#queue.push({ message, resolve, reject });
      if (!this.#isCommitting) this.#commitSoon();
    });
  }

  /** Resolves when all that was added has settled. */
  async drain(): Promise<void> {
    if (!this.#isCommitting && this.#queue.length === 0) return;
    await new Promise<void>((resolve) => (this.#onIdle = resolve));
  }

  /** Once the event loop has handed out what has arrived: what it brings in the same turn shares the batch. */
  #commitSoon(): void {
    this.#next ??= setImmediate(() => {
      this.#next = undefined;
      void this.#commitNext();
    });
  }

  async #commitNext(): Promise<void> {
    const batch = this.#takeBatch();
    if (batch.length === 0) {
      this.#onIdle?.();
      return;
    }
    this.#isCommitting = true;
    try {
      settle(batch, await this.#commit(batch.map(({ message }) => message)));
      this.#batches++;
      this.#messages += batch.length;
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    this.#isCommitting = false;
    this.#commitSoon();
  }

  #takeBatch(): PendingWrite[] {
    let length = 0;
    const end = this.#queue.findIndex(({ message }, index) => {
      length += message.text.length;
      return index === MAX_BATCH_MESSAGES || (index > 0 && length > this.#maxBatchLength);
    });
    const batch = this.#queue.splice(0, end === -1 ? this.#queue.length : end);
    for (const { message } of batch) this.#queueLength -= message.text.length;
    return batch;
  }
}

function settle(batch: readonly PendingWrite[], outcomes: BatchOutcome): void {
  batch.forEach(({ resolve, reject }, index) => {
    const outcome = outcomes.get(index);
    if (outcome instanceof Error) reject(outcome);
    else resolve(outcome);
  });
}
