import { AppError } from '../../errors.ts';
import type { MessageSummary, StoredMessage } from '../../messages/message.ts';
import type { StorePage, StorePageRequest } from '../../messages/message.store.ts';
import {
  MESSAGE_COLUMNS,
  toKey,
  toStoredMessage,
  toSummary,
  type Digits,
  type MessageRow,
  type SummaryRow,
} from './rows.ts';
import type { Server, Statement } from './server.ts';

type Direction = StorePageRequest['direction'];
type PageStatements = Record<Direction, Statement>;

const FIND_SEQ: Statement = { name: 'find-seq', text: 'SELECT seq FROM message WHERE sha = $1' };

/**
 * $1: the number at the edge, $2: how many at most, $3: how many bytes of text at most. One row more than asked is found,
 * which tells whether there are more; of those beyond the page nothing is sent. The length of a text is known without
 * reading it.
 */
const MESSAGES = forBothDirections(
  'messages',
  (where, order) => `
    SELECT ${MESSAGE_COLUMNS}, found FROM (
      SELECT *, count(*) OVER () AS found, row_number() OVER ordered AS place,
        coalesce(sum(octet_length(content)) OVER (ordered ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
      FROM (SELECT * FROM message WHERE ${where} ORDER BY ${order} LIMIT $2 + 1) AS found
      WINDOW ordered AS (ORDER BY ${order})
    ) AS page
    WHERE place <= $2 AND before < $3 ORDER BY place`,
);

const SUMMARIES = forBothDirections(
  'summaries',
  (where, order) => `
    SELECT encode(sha, 'hex'), created_at, octet_length(content) FROM message
    WHERE ${where} ORDER BY ${order} LIMIT $2 + 1`,
);

/** Reads pages by the sequence number of the message at their edge: the cost is that of the page, wherever it is. */
export class PageReader {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  /** @see MessageStore.page */
  async readMessages(request: StorePageRequest, maxBytes: number): Promise<StorePage<StoredMessage>> {
    const { direction, limit } = request;
    const values = [await this.#startOf(request), limit, maxBytes];
    const rows = await this.#server.query<[...MessageRow, Digits]>(MESSAGES[direction], values);
    const items = rows.map(([sha, createdAt, content]) => toStoredMessage([sha, createdAt, content]));
    return toPage(direction, items, Number(rows[0]?.[3] ?? 0) > rows.length);
  }

  /** @see MessageStore.summaryPage */
  async readSummaries(request: StorePageRequest): Promise<StorePage<MessageSummary>> {
    const { direction, limit } = request;
    const rows = await this.#server.query<SummaryRow>(SUMMARIES[direction], [await this.#startOf(request), limit]);
    return toPage(direction, rows.slice(0, limit).map(toSummary), rows.length > limit);
  }

  /** The number that the page begins right after, or ends right before. */
  async #startOf({ cursor, direction }: StorePageRequest): Promise<Digits> {
    if (cursor === undefined) return direction === 'forward' ? '0' : String(Number.MAX_SAFE_INTEGER);
    const [row] = await this.#server.query<[Digits]>(FIND_SEQ, [toKey(cursor)]);
    if (row === undefined) throw new AppError('BAD_USER_INPUT', 'The cursor is not the sha of a stored message.');
    return row[0];
  }
}

function toPage<Item>(direction: Direction, items: Item[], hasMore: boolean): StorePage<Item> {
  return { items: direction === 'forward' ? items : items.reverse(), hasMore };
}

function forBothDirections(name: string, toText: (where: string, order: string) => string): PageStatements {
  return {
    forward: { name: `${name}-forward`, text: toText('seq > $1', 'seq') },
    backward: { name: `${name}-backward`, text: toText('seq < $1', 'seq DESC') },
  };
}
