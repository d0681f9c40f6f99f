import { LRUCache } from 'lru-cache';
import type { Message, Sha } from './message.ts';

/** What an entry takes beside its text: two strings of 64, a date, the object, the links of the cache. */
const ENTRY_BYTES = 400;

/** One large text must not push out thousands of small ones. */
const MAX_ENTRY_SHARE = 1 / 8;

/** How many lookups the cache remembers while it is full, by one number each. A power of two. */
const REMEMBERED = 8192;

/**
 * Messages that were read lately, of a bounded size; the least recently read go first. A message never changes, so what
 * is here is never stale. That a message is absent may change, and is not kept.
 */
export class MessageCache {
  readonly #messages: LRUCache<Sha, Message> | undefined;
  /** The beginning of the shas that were looked up lately, each at the place that it chooses itself. */
  readonly #lookedUp = new Uint32Array(REMEMBERED);
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

  /**
   * Keeps a copy. V8 counts how many objects that a piece of code makes come to live long, and makes all of them in its
   * old generation if they are many (pretenuring). The code that makes a message for each lookup must not be among that.
   */
  keep(message: Message): void {
    this.#messages?.set(message.sha, { ...message });
  }

  /** As `get`, without counting as a use. */
  peek(sha: Sha): Message | undefined {
    return this.#messages?.peek(sha);
  }

  /** Keeps it if that costs no other its place: who reads the whole list must not push out what is asked for by name. */
  keepIfFree(message: Message): void {
    if (this.#hasRoomFor(message)) this.keep(message);
  }

  /**
   * Keeps a message that was looked up; in a full cache only at its second lookup in a while. Of many messages each of
   * which is asked for once, none would be found again, and each would be promoted to V8's old generation: with random
   * lookups of a million messages, resident memory grew by 90 MiB for a cache of 8 MiB.
   */
  keepIfWanted(message: Message): void {
    if (this.#hasRoomFor(message) || this.#wasLookedUp(message.sha)) this.keep(message);
  }

  #hasRoomFor(message: Message): boolean {
    return !!this.#messages && this.#messages.calculatedSize + sizeOf(message) <= this.#messages.maxSize;
  }

  /** Whether this sha was looked up lately; from now on it was. */
  #wasLookedUp(sha: Sha): boolean {
    const beginning = Number.parseInt(sha.slice(0, 8), 16);
    const place = beginning % REMEMBERED;
    const isKnown = this.#lookedUp[place] === beginning;
    this.#lookedUp[place] = beginning;
    return isKnown;
  }
}

/** V8 keeps a text in one or two bytes per UTF-16 unit. */
function sizeOf({ text }: Message): number {
  return ENTRY_BYTES + 2 * text.length;
}
