import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createMessage, toMessage, type Message } from '../../src/messages/message.ts';
import { MessageCache } from '../../src/messages/message.cache.ts';
import type { MessageStore } from '../../src/messages/message.store.ts';
import { doors } from '../support/doors.ts';
import { faultyStore } from '../support/faulty-store.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { startService, type Service } from '../support/service.ts';

afterEach(disposeLeftovers);

const messageOf = (text: string): Message => toMessage(createMessage(text, 1_000_000, 1_000));

describe('the cache', () => {
  test('keeps what was read last, within its bytes', () => {
    const cache = new MessageCache(100_000);
    const messages = Array.from({ length: 100 }, (_, index) => messageOf(`${index} `.padEnd(1_000)));
    for (const message of messages) {
      cache.keep(message);
      // Read again and again, so never the least recent one.
      expect(cache.get(messages[0]?.sha as never)).toEqual(messages[0]);
    }
    const kept = messages.filter(({ sha }) => cache.get(sha));
    // 2 bytes a character and 400 for each.
    expect(kept).toEqual([messages[0], ...messages.slice(-40)]);
  });

  test('does not give up many for one large text', () => {
    const cache = new MessageCache(100_000);
    const [small, large] = [messageOf('small'), messageOf('x'.repeat(10_000))];
    cache.keep(small);
    cache.keep(large);
    expect([cache.get(small.sha), cache.get(large.sha)]).toEqual([small, undefined]);
  });

  test('that is full takes a message at its second lookup, so that those asked for once push nothing out', () => {
    const cache = new MessageCache(100_000);
    const messages = Array.from({ length: 200 }, (_, index) => messageOf(`${index} `.padEnd(1_000)));
    for (const message of messages) cache.keepIfWanted(message);
    const [first, last] = [messages[0] as Message, messages[199] as Message];
    expect([cache.peek(first.sha), cache.peek(last.sha)]).toEqual([first, undefined]);
    cache.keepIfWanted(last);
    expect(cache.peek(last.sha)).toEqual(last);
  });

  test('of no bytes keeps nothing', () => {
    const cache = new MessageCache(0);
    cache.keep(messageOf('foo'));
    expect(cache.get(messageOf('foo').sha)).toBeUndefined();
  });
});

/** A service that counts the lookups in its store. */
async function countingService(env: Record<string, string> = {}): Promise<{ service: Service; finds: () => number }> {
  let finds = 0;
  const decorateStore = (store: MessageStore): MessageStore =>
    faultyStore({
      find: (sha) => {
        finds++;
        return store.find(sha);
      },
    })(store);
  return { service: await startService({ env, overrides: { decorateStore } }), finds: () => finds };
}

test('what one door has read, the other finds without the store; what is absent is asked for each time', async () => {
  const { service, finds } = await countingService();
  const all = Object.values(doors).map((createDoor) => createDoor(service.client));
  const { sha } = messageOf('foo');
  for (const [index, door] of all.entries()) {
    expect(await door.find(sha)).toEqual({ value: null });
    expect(finds()).toBe(index + 1);
  }
  await all[0]?.add('foo');
  for (const door of [...all, ...all]) expect(await door.find(sha)).toEqual({ value: 'foo' });
  expect(finds()).toBe(all.length + 1);
});

test('MESSAGE_CACHE_BYTES=0 asks the store each time', async () => {
  const { service, finds } = await countingService({ MESSAGE_CACHE_BYTES: '0' });
  await service.client.post('/messages', '{"message":"foo"}');
  for (let read = 1; read <= 3; read++) {
    expect((await service.client.get(`/messages/${messageOf('foo').sha}`)).json).toEqual({ message: 'foo' });
    expect(finds()).toBe(read);
  }
});

test('a cached message does not keep the document alive that asked for it', async () => {
  const { service } = await countingService();
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heap = (): number => (collect(), process.memoryUsage().heapUsed);
  const texts = Array.from({ length: 60 }, (_, index) => `text ${index}`);
  for (const message of texts) await service.client.post('/messages', JSON.stringify({ message }));
  const before = heap();
  for (const text of texts) {
    const query = `{ messageBySha(sha: "${messageOf(text).sha}") { bytes } } #${text.padEnd(900_000, '.')}`;
    expect((await service.client.graphql(query)).text).toContain('"bytes"');
  }
  // They have 54 MB.
  expect(heap() - before).toBeLessThan(20_000_000);
}, 60_000);

test("If-None-Match with the message's own tag does not ask the store", async () => {
  const { service, finds } = await countingService();
  await service.client.post('/messages', '{"message":"foo"}');
  const path = `/messages/${messageOf('foo').sha}`;
  const { etag = '' } = (await service.client.request({ method: 'HEAD', path })).headers;
  expect(finds()).toBe(1);
  const { service: fresh, finds: freshFinds } = await countingService();
  expect(await fresh.client.get(path, { 'if-none-match': etag })).toMatchObject({ status: 304, text: '' });
  expect(freshFinds()).toBe(0);
  expect((await fresh.client.get(path, { 'if-none-match': '*' })).status).toBe(404);
});
