import { findStoreFaults, openSource, type StoreLocation } from '../stores/open-store.ts';
import { CommandError, EXIT_DAMAGED, explain, type CommandContext } from './command.ts';
import { MessageCheck } from './message-check.ts';

/**
 * Looks at the structure of a store's file, and hashes every message that the store has at the time of the call. What is
 * damaged is told on stdout as it is found, then the sums.
 *
 * @throws CommandError when something is damaged.
 */
export async function checkStore(location: StoreLocation, context: CommandContext): Promise<void> {
  const faults = await findStoreFaults(location);
  for (const fault of faults) context.stdout.write(`fault of the file: ${fault}\n`);
  const check = new MessageCheck({ ...context, hasFaults: faults.length > 0 });
  try {
    await using opened = new AsyncDisposableStack();
    const source = opened.adopt(await openSource(location), (store) => store.close());
    // Not earlier: while SQLite looks at the structure no signal is heard, so until here one should simply end the process.
    await check.run(source, context.listenForStop());
  } catch (error) {
    // Whatever fails in a file with faults, fails because of them.
    if (faults.length === 0 || error instanceof CommandError) throw error;
    context.stdout.write(`damaged: the list cannot be read (${explain(error)})\n`);
  }
  context.stdout.write(check.describe());
  if (faults.length > 0 || check.damaged > 0) throw new CommandError('what is stored is damaged', EXIT_DAMAGED);
}
