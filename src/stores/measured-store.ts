import type { MessageStore } from '../messages/message.store.ts';

/**
 * A store whose calls are timed, whether they succeed or not; of `shas`, each page.
 *
 * @param record is told the method and its time in milliseconds.
 */
export function measureStore(
  store: MessageStore,
  record: (method: string, milliseconds: number) => void,
): MessageStore {
  async function measure<Result>(method: string, call: () => Promise<Result>): Promise<Result> {
    const start = performance.now();
    try {
      return await call();
    } finally {
      record(method, performance.now() - start);
    }
  }

  return {
    add: (message) => measure('add', () => store.add(message)),
    find: (sha) => measure('find', () => store.find(sha)),
    page: (request, maxBytes) => measure('page', () => store.page(request, maxBytes)),
    summaryPage: (request) => measure('summaryPage', () => store.summaryPage(request)),
    async *shas() {
      const pages = store.shas()[Symbol.asyncIterator]();
      try {
        for (;;) {
          const page = await measure('shas', () => pages.next());
          if (page.done) return;
          yield page.value;
        }
      } finally {
        // The caller may have left.
        await pages.return?.();
      }
    },
    ping: () => store.ping(),
    stats: () => store.stats(),
    failed: store.failed,
    close: () => store.close(),
  };
}
