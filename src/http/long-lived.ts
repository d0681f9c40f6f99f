import { AppError } from '../errors.ts';

/** Limits how many long-lived responses of one kind a process sends at a time. */
export class LongLivedLimit {
  readonly #limit: number;
  readonly #sentence: string;
  #count = 0;

  /** @param sentence tells a client that is refused what it can do instead. */
  constructor(limit: number, sentence: string) {
    this.#limit = limit;
    this.#sentence = sentence;
  }

  /**
   * Sends one response.
   *
   * @throws AppError OVERLOADED at the limit, or what `send` throws.
   */
  async run(send: () => Promise<void>): Promise<void> {
    if (this.#count === this.#limit) throw new AppError('OVERLOADED', this.#sentence);
    this.#count++;
    try {
      await send();
    } finally {
      this.#count--;
    }
  }
}
