import type { MessageStore } from '../../src/messages/message.store.ts';

/** A real store of which chosen methods are replaced, to fail in ways that the real one cannot be brought to. */
export function faultyStore(faults: Partial<MessageStore>): (store: MessageStore) => MessageStore {
  return (store) => ({
    add: (message) => store.add(message),
    find: (sha) => store.find(sha),
    page: (request, maxBytes) => store.page(request, maxBytes),
    summaryPage: (request) => store.summaryPage(request),
    shas: () => store.shas(),
    ping: () => store.ping(),
    stats: () => store.stats(),
    failed: store.failed,
    close: () => store.close(),
    ...faults,
  });
}
