import { randomBytes } from 'node:crypto';
import { parseConfig } from '../../src/config.ts';
import { createMessage, type Sha, type StoredMessage } from '../../src/messages/message.ts';
import type { MessageStore } from '../../src/messages/message.store.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { dispose, disposeLeftovers } from '../support/leftovers.ts';
import { freshDatabaseUrl, STORES } from '../support/service.ts';

const message = (text: string, createdAt = 1_000): StoredMessage => createMessage(text, 10_000_000, createdAt);
const UNKNOWN = message('never stored').sha;

async function open(kind: string): Promise<MessageStore> {
  const store = await openStore(parseConfig({ DATABASE_URL: await freshDatabaseUrl(kind) }).store);
  dispose(() => store.close().catch(() => undefined));
  return store;
}

async function collect(pages: AsyncIterable<readonly Sha[]>): Promise<Sha[]> {
  const all = [];
  for await (const page of pages) all.push(...page);
  return all;
}

afterEach(disposeLeftovers);

describe.each(STORES)('the store %s', (kind) => {
  test('keeps bytes, and answers a known sha with what was stored first', async () => {
    const store = await open(kind);
    const first = message('a\u0000b', 1_000);
    expect(await store.add(first)).toBeUndefined();
    const again = await store.add(message('a\u0000b', 2_000));
    expect(again).toEqual(first);
    expect(await store.find(first.sha)).toMatchObject({ sha: first.sha, createdAt: 1_000 });
    expect(await store.find(UNKNOWN)).toBeUndefined();
  });

  test('counts the messages that it keeps, each once', async () => {
    const store = await open(kind);
    expect(await store.stats()).toMatchObject({ messages: 0 });
    for (const text of ['a', 'b', 'a', 'c', 'b']) await store.add(message(text));
    expect(await store.stats()).toMatchObject({ messages: 3 });
  });

  test('keeps the empty message and one of several megabytes', async () => {
    const store = await open(kind);
    for (const text of ['', randomBytes(3_000_000).toString('base64')]) {
      await store.add(message(text));
      expect((await store.find(message(text).sha))?.text).toBe(text);
    }
  });

  test('is empty at first', async () => {
    const store = await open(kind);
    expect(await collect(store.shas())).toEqual([]);
    for (const direction of ['forward', 'backward'] as const) {
      const request = { direction, cursor: undefined, limit: 10 };
      expect(await store.page(request, 1_000)).toEqual({ items: [], hasMore: false });
      expect(await store.summaryPage(request)).toEqual({ items: [], hasMore: false });
    }
    await store.ping();
  });

  test('pages in both directions, oldest first, with the cursor excluded', async () => {
    const store = await open(kind);
    const messages = ['a', 'b', 'c', 'd', 'e'].map((text) => message(text));
    for (const one of messages) await store.add(one);
    const at = (text: string): Sha => message(text).sha;
    const read = async (
      direction: 'forward' | 'backward',
      cursor: string | undefined,
      limit: number,
    ): Promise<string> => {
      const request = { direction, cursor: cursor === undefined ? undefined : at(cursor), limit };
      const summaries = await store.summaryPage(request);
      const page = await store.page(request, 1_000_000);
      expect(summaries).toEqual({
        hasMore: page.hasMore,
        items: page.items.map(({ sha, text, createdAt }) => ({
          sha,
          bytes: Buffer.byteLength(text),
          createdAt: new Date(createdAt),
        })),
      });
      return page.items.map(({ text }) => text).join('') + (page.hasMore ? '…' : '');
    };
    expect(await read('forward', undefined, 2)).toBe('ab…');
    expect(await read('forward', 'b', 2)).toBe('cd…');
    expect(await read('forward', 'b', 3)).toBe('cde');
    expect(await read('forward', 'e', 3)).toBe('');
    expect(await read('backward', undefined, 2)).toBe('de…');
    expect(await read('backward', 'd', 2)).toBe('bc…');
    expect(await read('backward', 'd', 3)).toBe('abc');
    expect(await read('backward', 'a', 3)).toBe('');
  });

  test('refuses a cursor that is not in the list', async () => {
    const store = await open(kind);
    const request = { direction: 'forward', cursor: UNKNOWN, limit: 10 } as const;
    await expect(store.page(request, 1_000)).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
    await expect(store.summaryPage(request)).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
  });

  test('ends a page early at its byte limit, but never empty', async () => {
    const store = await open(kind);
    for (const text of ['aaaa', 'bbbb', 'cccc']) await store.add(message(text));
    const sizes = [];
    for (const maxBytes of [1, 4, 5, 8, 12, 100]) {
      const page = await store.page({ direction: 'forward', cursor: undefined, limit: 10 }, maxBytes);
      sizes.push([page.items.length, page.hasMore]);
    }
    expect(sizes).toEqual([[1, true], [1, true], [2, true], [2, true], [3, false], [3, false]]); // prettier-ignore
  });

  test('streams every sha of the moment of the call, over many pages, while others write', async () => {
    const store = await open(kind);
    const texts = Array.from({ length: 2_500 }, (_, index) => `text ${index}`);
    await Promise.all(texts.map((text) => store.add(message(text))));
    const seen: Sha[] = [];
    for await (const page of store.shas()) {
      await store.add(message(`late ${seen.length}`));
      seen.push(...page);
    }
    expect(seen).toEqual(texts.map((text) => message(text).sha));
  });

  test('of texts that come together, each has the place of its first', async () => {
    const store = await open(kind);
    const messages = ['a', 'b', 'a', 'c', 'b'].map((text) => message(text));
    await Promise.all(messages.map((one) => store.add(one)));
    expect(await collect(store.shas())).toEqual(['a', 'b', 'c'].map((text) => message(text).sha));
  });

  test('settles concurrent writes of the same and of other texts with what is stored', async () => {
    const store = await open(kind);
    const added = await Promise.all(
      Array.from({ length: 1_000 }, (_, index) => store.add(message(`text ${index % 100}`, index))),
    );
    const isNew = added.map((known) => known === undefined);
    expect(isNew).toEqual(added.map((_, index) => index < 100));
    added.slice(100).forEach((known, index) => {
      expect(known).toEqual(message(`text ${index % 100}`, index % 100));
    });
    expect(await collect(store.shas())).toHaveLength(100);
  });

  test('finishes what was added before it closes', async () => {
    const store = await open(kind);
    const adding = Array.from({ length: 1_000 }, (_, index) => store.add(message(`text ${index}`)));
    const settled = Promise.all(adding);
    await store.close();
    expect(await settled).toHaveLength(1_000);
  });
});
