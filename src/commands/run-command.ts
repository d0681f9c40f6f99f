import { parseArgs } from 'node:util';
import { ConfigError } from '../config.ts';
import { backup } from './backup.ts';
import { CommandError, explain, usageError, type Command, type CommandContext } from './command.ts';
import { migrateStore } from './migrate-store.ts';
import { verify } from './verify.ts';

const commands = new Map<string, Command>([
  ['backup', backup],
  ['verify', verify],
  ['migrate-store', migrateStore],
]);

const EXIT_CODES = `Exit codes: 0 done; 64 wrong usage; 65 damaged; 69 not done, stderr says why; 78 wrong settings;
130 and 143 stopped by SIGINT and SIGTERM.
`;

/**
 * Runs what the command line asks for.
 *
 * @param args the command's name, then its own arguments.
 * @throws Error, a CommandError with its exit code, or a ConfigError.
 */
export async function runCommand([name = '', ...args]: readonly string[], context: CommandContext): Promise<void> {
  const command = commands.get(name);
  if (!command) {
    throw usageError(
      name.startsWith('-')
        ? `unknown argument ${name}; settings are environment variables, see --help`
        : `unknown command ${name}; see --help`,
    );
  }
  const { help, positionals } = parse(name, args);
  if (!help && positionals.length !== command.parameters.length) throw usageError(`usage: ${usageOf(name, command)}`);
  try {
    const written = watchOutput(context);
    if (help) context.stdout.write(`Usage: ${usageOf(name, command)}\n\n${command.description}\n${EXIT_CODES}`);
    else await command.run(positionals, context);
    await written();
  } catch (error) {
    if (error instanceof ConfigError || error instanceof CommandError) throw error;
    throw new CommandError(explain(error), undefined, { cause: error });
  }
}

/**
 * A result that nobody got is not a success: of a full disk, or a pipe that is closed, a stream tells only by an event.
 *
 * @returns to be called at the end; rejects if something could not be written.
 */
function watchOutput({ stdout }: CommandContext): () => Promise<void> {
  let failure: Error | undefined;
  stdout.on('error', (error) => (failure ??= error));
  return async () => {
    await new Promise((resolve) => stdout.write('', resolve));
    if (failure) throw new CommandError(`stdout could not be written: ${failure.message}`);
  };
}

/** The commands as lines, for the general --help. */
export function describeCommands(): string {
  return [...commands].map(([name, command]) => `  ${usageOf(name, command)}\n      ${command.summary}\n`).join('');
}

function usageOf(name: string, { parameters }: Command): string {
  return ['hashpost', name, ...parameters.map((parameter) => `<${parameter}>`)].join(' ');
}

function parse(name: string, args: readonly string[]): { help: boolean; positionals: readonly string[] } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { help: { type: 'boolean', short: 'h', default: false } },
      allowPositionals: true,
    });
    return { help: values.help, positionals };
  } catch (error) {
    // Only its first sentence: the others are advice for odd arguments that no command takes.
    throw usageError(`${explain(error).split('. ')[0]}; see hashpost ${name} --help`);
  }
}
