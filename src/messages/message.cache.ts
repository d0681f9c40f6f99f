import { LRUCache } from 'lru-cache';
import type { Message, Sha } from './message.ts';

/** What an entry takes beside its text: two strings of 64, a date, the object, the links of the cache. */
const ENTRY_BYTES = 400;

/** One large text must not push out thousands of small ones. */
const MAX_ENTRY_SHARE = 1 / 8;

/**
 * Messages that were read lately, of a bounded size; the least recently read go first. A message never changes, so what
 * is here is never stale. That a message is absent may change, and is not kept.
 */
export class MessageCache {
  readonly #messages: LRUCache<Sha, Message> | undefined;
  #hits = 0;
  #misses = 0;

  /** @param maxBytes of memory; 0 keeps nothing. */
  constructor(maxBytes: number) {
    if (maxBytes === 0) return;
    this.#messages = new LRUCache({
      maxSize: maxBytes,
      maxEntrySize: Math.ceil(maxBytes * MAX_ENTRY_SHARE),
      sizeCalculation: sizeOf,
    });
  }

  get(sha: Sha): Message | undefined {
    const message = this.#messages?.get(sha);
    if (message) this.#hits++;
    else this.#misses++;
    return message;
  }

  /** How many calls of `get` found their message. */
  get hits(): number {
    return this.#hits;
  }

  get misses(): number {
    return this.#misses;
  }

  keep(message: Message): void {
    this.#messages?.set(message.sha, message);
  }

  /** As `get`, without counting as a use. */
  peek(sha: Sha): Message | undefined {
    return this.#messages?.peek(sha);
  }

  /** Keeps it if that costs no other its place: who reads the whole list must not push out what is asked for by name. */
  keepIfFree(message: Message): void {
    if (this.#messages && this.#messages.calculatedSize + sizeOf(message) <= this.#messages.maxSize) this.keep(message);
  }
}

/** V8 keeps a text in one or two bytes per UTF-16 unit. */
function sizeOf({ text }: Message): number {
  return ENTRY_BYTES + 2 * text.length;
}
