import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { AppError } from '../../errors.ts';
import type { MessageSummary, StoredMessage } from '../../messages/message.ts';
import type { StorePage, StorePageRequest } from '../../messages/message.store.ts';
import {
  MESSAGE_COLUMNS,
  prepare,
  SUMMARY_COLUMNS,
  toKey,
  toStoredMessage,
  toSummary,
  type MessageRow,
  type SummaryRow,
} from './rows.ts';

type Direction = StorePageRequest['direction'];
type PageStatements = Record<Direction, StatementSync>;

/** Reads pages by the sequence number of the message at their edge: the cost is that of the page, wherever it is. */
export class PageReader {
  readonly #findSeq: StatementSync;
  readonly #lengths: PageStatements;
  readonly #messages: PageStatements;
  readonly #summaries: PageStatements;

  constructor(db: DatabaseSync) {
    this.#findSeq = prepare(db, 'SELECT seq FROM message WHERE sha = ?');
    this.#lengths = preparePages(db, 'length(content)');
    this.#messages = preparePages(db, MESSAGE_COLUMNS);
    this.#summaries = preparePages(db, SUMMARY_COLUMNS);
  }

  /** @see MessageStore.page */
  readMessages(request: StorePageRequest, maxBytes: number): StorePage<StoredMessage> {
    const { direction, limit } = request;
    const start = this.#startOf(request);
    const lengths = this.#lengths[direction].all(start, limit + 1) as unknown as [number][];
    const count = countWithin(lengths, limit, maxBytes);
    const rows = this.#messages[direction].all(start, count) as unknown as MessageRow[];
    return toPage(direction, rows.map(toStoredMessage), lengths.length > count);
  }

  /** @see MessageStore.summaryPage */
  readSummaries(request: StorePageRequest): StorePage<MessageSummary> {
    const { direction, limit } = request;
    // One more than asked tells whether there are more.
    const rows = this.#summaries[direction].all(this.#startOf(request), limit + 1) as unknown as SummaryRow[];
    return toPage(direction, rows.slice(0, limit).map(toSummary), rows.length > limit);
  }

  /** The number that the page begins right after, or ends right before. */
  #startOf({ cursor, direction }: StorePageRequest): number {
    if (cursor === undefined) return direction === 'forward' ? 0 : Number.MAX_SAFE_INTEGER;
    const row = this.#findSeq.get(toKey(cursor)) as [number] | undefined;
    if (row === undefined) throw new AppError('BAD_USER_INPUT', 'The cursor is not the sha of a stored message.');
    return row[0];
  }
}

/** How many messages fit into a page: at least one, and no more once there are `maxBytes` bytes of text. */
function countWithin(lengths: readonly (readonly [number])[], limit: number, maxBytes: number): number {
  let bytes = 0;
  const end = lengths.slice(0, limit).findIndex(([length]) => {
    const isFull = bytes >= maxBytes;
    bytes += length;
    return isFull;
  });
  return end === -1 ? Math.min(lengths.length, limit) : end;
}

function toPage<Item>(direction: Direction, items: Item[], hasMore: boolean): StorePage<Item> {
  return { items: direction === 'forward' ? items : items.reverse(), hasMore };
}

function preparePages(db: DatabaseSync, columns: string): PageStatements {
  return {
    forward: prepare(db, `SELECT ${columns} FROM message WHERE seq > ? ORDER BY seq LIMIT ?`),
    backward: prepare(db, `SELECT ${columns} FROM message WHERE seq < ? ORDER BY seq DESC LIMIT ?`),
  };
}
