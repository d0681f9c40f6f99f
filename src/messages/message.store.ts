import type { MessageSummary, Sha, StoredMessage } from './message.ts';

/** Which part of the list to read. `cursor` is excluded: the part begins right after it (or ends right before it). */
export interface StorePageRequest {
  readonly direction: 'forward' | 'backward';
  readonly cursor: Sha | undefined;
  /** At most this many items. */
  readonly limit: number;
}

/** A part of the list, oldest first whatever the direction. `hasMore`: the direction holds more items. */
export interface StorePage<Item> {
  readonly items: readonly Item[];
  readonly hasMore: boolean;
}

/** What an operator watches of a backend; what it does not have is left out. Counts are totals since its start. */
export interface StoreStats {
  /** Where several processes store one text at once it may be more than there are, by one a time. */
  readonly messages: number;
  /** Length of the write-ahead log's file. */
  readonly walBytes?: number;
  /** Left on the disk that the store is on. */
  readonly freeBytes?: number;
  /** Connections to the database, and callers that wait for one. */
  readonly pool?: { readonly size: number; readonly idle: number; readonly waiting: number };
  /** Messages that the primary had and the follower that was asked first had not, or did not tell. */
  readonly followerMisses?: number;
  /** Transactions that were committed for writes, and the messages in them, known ones too. */
  readonly batches?: { readonly count: number; readonly messages: number };
}

/**
 * What every backend promises. Messages have one order, that of their first commit, and never change.
 *
 * Every method rejects with an AppError: STORE_BUSY or STORE_UNAVAILABLE when the backend does not answer in time or
 * at all, STORE_FULL when there is no room, BAD_USER_INPUT when a cursor is not in the list.
 */
export interface MessageStore {
  /**
   * Keeps a message and resolves when it is on disk, not before. A known sha changes nothing.
   * @returns undefined where the message is new, otherwise the message as it was first stored.
   */
  add(message: StoredMessage): Promise<StoredMessage | undefined>;

  find(sha: Sha): Promise<StoredMessage | undefined>;

  /** Messages with their texts. The page ends early, but never empty, once its texts have `maxBytes` bytes of UTF-8. */
  page(request: StorePageRequest, maxBytes: number): Promise<StorePage<StoredMessage>>;

  /** Messages without their texts, which are not read. */
  summaryPage(request: StorePageRequest): Promise<StorePage<MessageSummary>>;

  /** Every sha stored at the time of the call, oldest first, in pages; holds no lock while the caller is slow. */
  shas(): AsyncIterable<readonly Sha[]>;

  /** Resolves when the backend answers a read, and has not failed for good. NOT_READY when its disk is almost full. */
  ping(): Promise<void>;

  /** Asks the backend, at a cost that does not grow with the number of messages. */
  stats(): Promise<StoreStats>;

  /** Never resolves; rejects when the store has failed for good, and only a new process can help. */
  readonly failed: Promise<never>;

  /** Finishes the writes under way, then releases everything. No other method may be called afterwards. */
  close(): Promise<void>;
}

/** A store to read from. */
export type MessageSource = Pick<MessageStore, 'find' | 'page' | 'shas' | 'stats' | 'close'>;
