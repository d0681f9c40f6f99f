import { AppError } from '../errors.ts';
import { verifyMessage, type Sha, type StoredMessage } from '../messages/message.ts';
import type { MessageSource, MessageStore } from '../messages/message.store.ts';
import { CommandError, EXIT_DAMAGED, explain, pause } from './command.ts';
import { ListDigest, type ListState } from './list-digest.ts';

/** As many as stores commit together, so that what a failed commit leaves is a beginning of the list. */
const PAGE_MESSAGES = 512;
const PAGE_BYTES = 4 * 1024 * 1024;

interface CopyOptions {
  readonly source: MessageSource;
  readonly target: MessageStore;
  readonly stop: AbortSignal;
}

/** A copy of what a store had when the copy began, which goes on where one before it has ended. */
export class StoreCopy {
  /** What is copied. */
  readonly list: ListState;
  readonly #options: CopyOptions;
  #done: number;
  #read: number;
  /** The last message that was read. */
  #cursor: Sha | undefined;

  private constructor(options: CopyOptions, list: ListState, done: number, cursor: Sha | undefined) {
    this.list = list;
    this.#options = options;
    this.#done = this.#read = done;
    this.#cursor = cursor;
  }

  /** @throws CommandError unless the target has a beginning of the list of the source, or nothing. */
  static async begin(options: CopyOptions): Promise<StoreCopy> {
    const digest = new ListDigest();
    const copies = each(options.target.shas());
    let copy = await copies.next();
    let [done, cursor]: [number, Sha | undefined] = [0, undefined];
    for await (const shas of options.source.shas()) {
      digest.add(shas);
      for (const sha of shas) {
        if (copy.done) break;
        if (copy.value !== sha) throw notABeginning(done);
        [done, cursor] = [done + 1, sha];
        copy = await copies.next();
      }
      await pause(options.stop);
    }
    if (!copy.done) throw notABeginning(done);
    return new StoreCopy(options, digest.end(), done, cursor);
  }

  /** How many messages of the list the target has. */
  get done(): number {
    return this.#done;
  }

  /**
   * @param onProgress called whenever more messages are on the disk.
   * @throws CommandError at a damaged message, and when told to stop; what is before it is copied.
   */
  async run(onProgress: () => void): Promise<void> {
    const { source, target, stop } = this.#options;
    let messages = await this.#readNext(source);
    while (messages.length > 0) {
      const adding = Promise.all(messages.map((message) => target.add(message)));
      // The next ones are read and hashed while these go to the disk.
      const [next] = await Promise.all([this.#readNext(source), naming('<to>', adding)]);
      this.#done += messages.length;
      messages = next;
      onProgress();
      await pause(stop, '; run the same command again to go on');
    }
  }

  /** Sound messages, at least one unless all have been read. */
  async #readNext(source: MessageSource): Promise<readonly StoredMessage[]> {
    const limit = Math.min(PAGE_MESSAGES, this.list.count - this.#read);
    if (limit === 0) return [];
    const request = { direction: 'forward', cursor: this.#cursor, limit } as const;
    const { items } = await naming('<from>', source.page(request, PAGE_BYTES));
    const firstDamaged = items.findIndex((message) => !isSound(message));
    if (firstDamaged === 0) {
      const place = `message ${this.#read + 1}, ${String(items[0]?.sha)}`;
      throw new CommandError(`${place}, of <from> is damaged; all before it is copied`, EXIT_DAMAGED);
    }
    const messages = firstDamaged === -1 ? items : items.slice(0, firstDamaged);
    this.#read += messages.length;
    this.#cursor = messages.at(-1)?.sha;
    return messages;
  }
}

async function* each(pages: AsyncIterable<readonly Sha[]>): AsyncGenerator<Sha, undefined> {
  for await (const shas of pages) yield* shas;
}

function notABeginning(place: number): CommandError {
  return new CommandError(
    `<to> must be empty or hold a beginning of <from>, but message ${place + 1} is not the same; nothing was copied`,
  );
}

function isSound(message: StoredMessage): boolean {
  try {
    verifyMessage(message);
    return true;
  } catch {
    return false;
  }
}

/** @throws CommandError that says which of the stores has failed. */
async function naming<Result>(name: string, result: Promise<Result>): Promise<Result> {
  try {
    return await result;
  } catch (error) {
    throw error instanceof AppError ? new CommandError(`${name}: ${explain(error)}`) : error;
  }
}
