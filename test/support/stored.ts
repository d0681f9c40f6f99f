import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { createMessage, type StoredMessage } from '../../src/messages/message.ts';
import type { MessageSource } from '../../src/messages/message.store.ts';
import { parseDatabaseUrl } from '../../src/setting-values.ts';
import { openSource, openStore } from '../../src/stores/open-store.ts';

/** Empty, NUL, four bytes of UTF-8, noncharacters, long. */
const ODD_TEXTS = ['', '\0', 'a\0b', '\u{1f600}', '\u{10ffff}\ufffe', ' \r\n', 'x'.repeat(70_000)];

/** Different messages, odd ones among them, none of the same time as its neighbours. */
export function someMessages(count: number): StoredMessage[] {
  return Array.from({ length: count }, (_, index) =>
    createMessage(ODD_TEXTS[index] ?? `text ${index} ${'é'.repeat(index % 300)}`, 1_000_000, 1_000 + index * 7),
  );
}

/** Adds to the store that a DATABASE_URL names, which is made if need be. */
export async function store(url: string, messages: readonly StoredMessage[]): Promise<void> {
  const target = await openStore(parseDatabaseUrl(url));
  await Promise.all(messages.map((message) => target.add(message)));
  await target.close();
}

/** All that a store has, in order. */
export async function readStored(url: string): Promise<StoredMessage[]> {
  const source = await openSource(parseDatabaseUrl(url));
  const messages: StoredMessage[] = [];
  try {
    for await (const page of pages(source)) messages.push(...page);
    return messages;
  } finally {
    await source.close();
  }
}

async function* pages(source: MessageSource): AsyncGenerator<readonly StoredMessage[]> {
  for (let [cursor, hasMore]: [StoredMessage['sha'] | undefined, boolean] = [undefined, true]; hasMore;) {
    const page = await source.page({ direction: 'forward', cursor, limit: 1000 }, 10_000_000);
    yield page.items;
    [cursor, hasMore] = [page.items.at(-1)?.sha, page.hasMore];
  }
}

/** As `jq -r '.digestList[]' | sha256sum` has it. */
export function digestOf(messages: readonly StoredMessage[]): string {
  return createHash('sha256')
    .update(messages.map(({ sha }) => `${sha}\n`).join(''))
    .digest('hex');
}

/** Puts another text under the sha of a message of an SQLite file. */
export function damage(path: string, place: number): void {
  const db = new DatabaseSync(path);
  db.prepare("UPDATE message SET content = CAST('marker' AS BLOB) WHERE seq = ?").run(place);
  db.close();
}
