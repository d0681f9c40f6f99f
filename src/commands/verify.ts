import { checkStore } from './check-store.ts';
import type { Command } from './command.ts';
import { parseStoreArgument } from './store-argument.ts';

export const verify: Command = {
  parameters: ['url'],
  summary: 'hashes everything that is stored and tells what is damaged',
  description: `Reads the store that <url> names as DATABASE_URL would, while it may be in use, and changes nothing in it.
Every message is hashed and compared with its sha; of an SQLite file, the structure is checked too.

stdout tells each damaged message by its place in the list and its sha, never by its text, and then:
  messages  how many there are
  bytes     of UTF-8, of the sound ones
  damaged   how many messages, or parts of the list, are not as they were stored
  digest    SHA-256 of all shas in their order, each followed by a newline: equal lists have equal ones
`,

  async run([url = ''], context) {
    await checkStore(parseStoreArgument('url', url), context);
  },
};
