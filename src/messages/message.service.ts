import { AppError } from '../errors.ts';
import {
  createMessage,
  toMessage,
  verifyMessage,
  type Message,
  type MessageSummary,
  type Sha,
  type StoredMessage,
} from './message.ts';
import type { MessageCache } from './message.cache.ts';
import type { MessageStore, StorePage, StorePageRequest } from './message.store.ts';

export const DEFAULT_PAGE_SIZE = 100;
export const MAX_PAGE_SIZE = 1000;

/**
 * Bounds the memory of one page of texts, and how long others wait while it is read and hashed (25 ms or so). A page
 * that reaches it is shorter than asked and says that there is more.
 */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;

/** Relay's arguments: forward with `first` and `after`, or backward with `last` and `before`. */
export interface PageArguments {
  readonly first?: number | null | undefined;
  readonly after?: Sha | null | undefined;
  readonly last?: number | null | undefined;
  readonly before?: Sha | null | undefined;
}

/** A part of the list, oldest first. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

export interface MessageServiceOptions {
  readonly store: MessageStore;
  readonly cache: MessageCache;
  /** Limit of one text in UTF-8 bytes. */
  readonly maxMessageBytes: number;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/** What both doors call. Knows no request, no status code and no GraphQL. */
export class MessageService {
  readonly #store: MessageStore;
  readonly #cache: MessageCache;
  readonly #maxMessageBytes: number;
  readonly #now: () => number;

  constructor({ store, cache, maxMessageBytes, now }: MessageServiceOptions) {
    this.#store = store;
    this.#cache = cache;
    this.#maxMessageBytes = maxMessageBytes;
    this.#now = now;
  }

  /**
   * Keeps a text; resolves when it is on disk. Adding a known text again is the same success.
   * @returns the message as it was first stored.
   * @throws AppError BAD_USER_INPUT, BODY_TOO_LARGE, or what the store throws.
   */
  async add(text: string): Promise<Message> {
    const message = createMessage(text, this.#maxMessageBytes, this.#now());
    const known = await this.#store.add(message);
    return known ? verifyMessage(known) : toMessage(message);
  }

  /**
   * Finds a message; at once, without a promise, where it is in the cache.
   *
   * @throws AppError INTEGRITY_ERROR when the stored bytes do not have that sha any more, or what the store throws.
   */
  findBySha(sha: Sha): Message | undefined | Promise<Message | undefined> {
    return this.#cache.get(sha) ?? this.#findStored(sha);
  }

  async #findStored(sha: Sha): Promise<Message | undefined> {
    const stored = await this.#store.find(sha);
    if (!stored) return undefined;
    const message = verifyMessage(stored);
    this.#cache.keepIfWanted(message);
    return message;
  }

  /** @throws AppError BAD_USER_INPUT for page arguments out of range, mixed directions or an unknown cursor. */
  async page(args: PageArguments): Promise<Page<Message>> {
    const request = toStorePageRequest(args);
    const page = await this.#store.page(request, MAX_PAGE_BYTES);
    return toPage(request, { ...page, items: page.items.map((stored) => this.#verify(stored)) });
  }

  /** What is in the cache has been verified. */
  #verify(stored: StoredMessage): Message {
    const cached = this.#cache.peek(stored.sha);
    if (cached) return cached;
    const message = verifyMessage(stored);
    this.#cache.keepIfFree(message);
    return message;
  }

  /** Messages without their texts, with the rules of `page`. */
  async summaryPage(args: PageArguments): Promise<Page<MessageSummary>> {
    const request = toStorePageRequest(args);
    return toPage(request, await this.#store.summaryPage(request));
  }

  /** Every sha, oldest first, as pages of a stream that may be left at any time. */
  digests(): AsyncIterable<readonly Sha[]> {
    return this.#store.shas();
  }
}

function toStorePageRequest({ first, after, last, before }: PageArguments): StorePageRequest {
  const forward = isGiven(first) || isGiven(after);
  const backward = isGiven(last) || isGiven(before);
  if (forward && backward) {
    throw new AppError('BAD_USER_INPUT', 'Page forward with first and after, or backward with last and before.');
  }
  return {
    direction: backward ? 'backward' : 'forward',
    cursor: (backward ? before : after) ?? undefined,
    limit: parsePageSize(backward ? last : first),
  };
}

function isGiven(argument: unknown): boolean {
  return argument !== undefined && argument !== null;
}

function parsePageSize(size: number | null | undefined): number {
  if (size === undefined || size === null) return DEFAULT_PAGE_SIZE;
  if (Number.isInteger(size) && size >= 1 && size <= MAX_PAGE_SIZE) return size;
  throw new AppError('BAD_USER_INPUT', `A page has 1 to ${MAX_PAGE_SIZE} items.`);
}

/** On the side of the cursor there is always more: the cursor's own message. */
function toPage<Item>({ direction, cursor }: StorePageRequest, { items, hasMore }: StorePage<Item>): Page<Item> {
  const beyondCursor = cursor !== undefined;
  return direction === 'forward'
    ? { items, hasNextPage: hasMore, hasPreviousPage: beyondCursor }
    : { items, hasNextPage: beyondCursor, hasPreviousPage: hasMore };
}
