import { openSource, openStore, type StoreLocation } from '../stores/open-store.ts';
import { identify } from '../stores/sqlite/connection.ts';
import { CommandError, usageError, type Command } from './command.ts';
import { readListState } from './list-digest.ts';
import { Progress } from './progress.ts';
import { parseStoreArgument } from './store-argument.ts';
import { StoreCopy } from './store-copy.ts';

export const migrateStore: Command = {
  parameters: ['from', 'to'],
  summary: 'copies all messages of one store into another, of whatever kind; resumable',
  description: `Copies the messages of the store <from> into the store <to>, both named as in DATABASE_URL, with their order and
times. <to> must be empty, or hold a beginning of <from>: then the rest is copied. So a copy that was interrupted, even by
kill -9, is continued by the same command. Each message is hashed on the way; the first damaged one ends the copy.

Only a disk that is full may leave <to> with a gap, which the next run refuses: then begin with an empty one.

The service may go on with <from>: what it had at the start of the command is copied, and running it again copies what
came since. For the last run, stop the service. Nobody else may write to <to>.

stdout tells how many messages were copied, and of both stores how many there are and the digest over all shas in their
order (see "hashpost verify --help"), which is read from <to> at the end and is equal where the exit code is 0.
`,

  async run([from = '', to = ''], { stdout, stderr, listenForStop }) {
    const [fromLocation, toLocation] = [parseStoreArgument('from', from), parseStoreArgument('to', to)];
    if (from === to || areSameFile(fromLocation, toLocation)) throw usageError('<from> and <to> are the same');
    await using opened = new AsyncDisposableStack();
    const source = opened.adopt(await openSource(fromLocation), (store) => store.close());
    const target = opened.adopt(await openStore(toLocation), (store) => store.close());
    const stop = listenForStop();
    const copy = await StoreCopy.begin({ source, target, stop });
    const { list, done: before } = copy;
    const progress = new Progress(stderr, 'copying', list.count, before);
    try {
      await copy.run(() => {
        progress.update(copy.done);
      });
    } finally {
      progress.clear();
    }
    const result = await readListState(target, stop);
    stdout.write(`copied: ${list.count - before}\n`);
    stdout.write(`source: ${list.count} messages, digest ${list.digest}\n`);
    stdout.write(`target: ${result.count} messages, digest ${result.digest}\n`);
    if (result.digest !== list.digest)
      throw new CommandError('<to> is not equal to <from>: was somebody writing to it?');
  },
};

/** Whether they are one file, however it is written or linked. */
function areSameFile(one: StoreLocation, other: StoreLocation): boolean {
  if (one.kind !== 'sqlite' || other.kind !== 'sqlite') return false;
  const file = identify(one.path);
  return file !== undefined && file === identify(other.path);
}
