import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseConfig } from '../config.ts';
import { openSource } from '../stores/open-store.ts';
import { backupDatabase } from '../stores/sqlite/backup.ts';
import { checkStore } from './check-store.ts';
import { assertNotStopped, CommandError, usageError, type Command, type CommandContext } from './command.ts';
import { Progress } from './progress.ts';

export const backup: Command = {
  parameters: ['file'],
  summary: 'copies the SQLite database of DATABASE_URL, also while the service runs',
  description: `Copies the SQLite database that DATABASE_URL names to <file>, which must not exist, while the service may go on: all
that was acknowledged when the command started is inside. The copy is made beside, as <file>.partial, verified like
"hashpost verify" does, synced to the disk, and only then gets its name. It is one plain database file, private to its
user (mode 0600). A signal is not heard while SQLite looks at the structure of the copy, which takes some seconds a GB.

To restore it: stop the service, put it in the place of the database and remove that one's -wal and -shm, start.

stdout tells what "hashpost verify" tells of the copy. What is damaged is not backed up.
`,

  async run([file = ''], context) {
    if (file === '') throw usageError('<file> is empty');
    if (/^(file|postgres(ql)?|memory):/.test(file)) throw usageError('<file> is a path, not a URL');
    const { store } = parseConfig(context.env);
    if (store.kind !== 'sqlite') {
      throw new CommandError('DATABASE_URL is no SQLite file; for PostgreSQL, use pg_dump or pg_basebackup');
    }
    // Says what is wrong with it, if anything is.
    await (await openSource(store)).close();
    if (existsSync(file)) throw new CommandError(`${file} exists already`);
    const partial = `${file}.partial`;
    createPartial(partial);
    const stop = context.listenForStop();
    try {
      await copy(store.path, partial, { stderr: context.stderr, stop });
      await checkStore({ kind: 'sqlite', path: partial }, { ...context, listenForStop: () => stop });
      assertNotStopped(stop);
      sync(partial);
      renameSync(partial, file);
      sync(dirname(file));
    } finally {
      for (const leftover of ['', '-journal', '-wal', '-shm']) rmSync(partial + leftover, { force: true });
    }
  },
};

/** @throws CommandError when there is one: another backup may be writing to it. */
function createPartial(partial: string): void {
  try {
    closeSync(openSync(partial, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new CommandError(`${partial} exists: a backup is being made, or one was killed and it can be removed`);
  }
}

async function copy(
  path: string,
  partial: string,
  { stderr, stop }: Pick<CommandContext, 'stderr'> & { readonly stop: AbortSignal },
): Promise<void> {
  let progress: Progress | undefined;
  try {
    await backupDatabase(path, partial, (donePages, totalPages) => {
      assertNotStopped(stop);
      progress ??= new Progress(stderr, 'copying pages', totalPages);
      progress.update(donePages);
    });
  } finally {
    progress?.clear();
  }
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
