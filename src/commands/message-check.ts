import { AppError } from '../errors.ts';
import { verifyMessage, type Sha, type StoredMessage } from '../messages/message.ts';
import type { MessageSource } from '../messages/message.store.ts';
import { pause, type CommandContext } from './command.ts';
import { ListDigest } from './list-digest.ts';
import { Progress } from './progress.ts';

/** Of the texts that are in memory at once; one more may come on top. */
const PAGE_BYTES = 8 * 1024 * 1024;
const PAGE_MESSAGES = 250;

interface CheckOptions extends Pick<CommandContext, 'stdout' | 'stderr'> {
  /** Whether the structure of the store's file is known to be damaged. */
  readonly hasFaults: boolean;
}

/**
 * One pass over all messages of a store, each of which is hashed. The list of shas leads through it, because pages begin
 * after a message whose own sha may be the damaged one.
 */
export class MessageCheck {
  readonly #options: CheckOptions;
  readonly #digest = new ListDigest();
  #progress: Progress | undefined;
  #checked = 0;
  #bytes = 0;
  #damaged = 0;
  #isWhole = false;

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  /** How many messages are damaged, and parts of the list. */
  get damaged(): number {
    return this.#damaged;
  }

  /** The sums, as lines. Of a list that cannot be read as a whole there is no digest. */
  describe(): string {
    return [
      `messages: ${this.#checked}\n`,
      `bytes: ${this.#bytes}\n`,
      `damaged: ${this.#damaged}\n`,
      ...(this.#isWhole ? [`digest: ${this.#digest.end().digest}\n`] : []),
    ].join('');
  }

  /** @throws the store's error where that is not damage, and CommandError when told to stop. */
  async run(source: MessageSource, stop: AbortSignal): Promise<void> {
    this.#progress = new Progress(this.#options.stderr, 'checking', (await source.stats()).messages);
    let last: Sha | undefined;
    try {
      for await (const shas of source.shas()) {
        this.#digest.add(shas);
        await this.#checkListed(source, last, shas, stop);
        last = shas.at(-1);
      }
      this.#isWhole = true;
    } catch (error) {
      this.#assertDamage(error);
      this.#tellDamaged(`the list after message ${this.#checked} cannot be read`);
      await this.#checkFromEnd(source, last, stop);
    } finally {
      this.#progress.clear();
    }
  }

  /** @param previous the sha before `shas` in the list. */
  async #checkListed(
    source: MessageSource,
    previous: Sha | undefined,
    shas: readonly Sha[],
    stop: AbortSignal,
  ): Promise<void> {
    let [cursor, rest] = [previous, shas];
    for (let [first] = rest; first !== undefined; [first] = rest) {
      const messages = await this.#readPage(source, cursor, rest);
      if (messages) for (const message of messages) this.#check(message, `message ${this.#checked + 1}`);
      else await this.#find(source, first);
      const count = messages?.length ?? 1;
      [cursor, rest] = [rest[count - 1], rest.slice(count)];
      this.#progress?.update(this.#checked);
      await pause(stop);
    }
  }

  /** The fast way. @returns undefined when not even the first of `shas` can be had in it. */
  async #readPage(
    source: MessageSource,
    cursor: Sha | undefined,
    shas: readonly Sha[],
  ): Promise<readonly StoredMessage[] | undefined> {
    try {
      const { items } = await source.page({ direction: 'forward', cursor, limit: shas.length }, PAGE_BYTES);
      return items.length > 0 && items.every(({ sha }, index) => sha === shas[index]) ? items : undefined;
    } catch (error) {
      this.#assertDamage(error);
      return undefined;
    }
  }

  async #find(source: MessageSource, sha: Sha): Promise<void> {
    const place = `message ${this.#checked + 1}`;
    try {
      const message = await source.find(sha);
      if (message) this.#check(message, place);
      else this.#tellDamaged(`${place}, ${sha}, is not found by its sha`, 1);
    } catch (error) {
      this.#assertDamage(error);
      this.#tellDamaged(`${place}, ${sha}, cannot be read`, 1);
    }
  }

  /** What lies behind a part of the list that cannot be read, down to the message before that part. */
  async #checkFromEnd(source: MessageSource, last: Sha | undefined, stop: AbortSignal): Promise<void> {
    let [cursor, count, isDone]: [Sha | undefined, number, boolean] = [undefined, 0, false];
    try {
      while (!isDone) {
        const page = await source.page({ direction: 'backward', cursor, limit: PAGE_MESSAGES }, PAGE_BYTES);
        const fresh = page.items.slice(page.items.findIndex(({ sha }) => sha === last) + 1);
        for (const message of fresh.toReversed()) this.#check(message, `message ${++count} from the end`);
        isDone = !page.hasMore || fresh.length < page.items.length;
        cursor = page.items[0]?.sha;
        await pause(stop);
      }
    } catch (error) {
      this.#assertDamage(error);
      this.#tellDamaged(`the list before message ${count} from the end cannot be read`);
    }
  }

  #check(message: StoredMessage, place: string): void {
    try {
      this.#bytes += verifyMessage(message).bytes;
      this.#checked++;
    } catch {
      this.#tellDamaged(`${place}, ${message.sha}, does not have the text of its sha`, 1);
    }
  }

  #tellDamaged(what: string, messages = 0): void {
    this.#checked += messages;
    this.#damaged++;
    this.#progress?.clear();
    this.#options.stdout.write(`damaged: ${what}\n`);
  }

  /**
   * @throws the error itself unless it is damage: pages of a file with faults cannot be read, and a cursor whose own sha is
   * damaged is not found.
   */
  #assertDamage(error: unknown): void {
    const code = error instanceof AppError ? error.code : undefined;
    if (code !== 'BAD_USER_INPUT' && !(this.#options.hasFaults && code === 'STORE_UNAVAILABLE')) throw error;
  }
}
