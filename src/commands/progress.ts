import type { CommandContext } from './command.ts';

const REDRAW_MS = 100;
const LINE_MS = 5000;
const BAR_WIDTH = 24;

/** Tells on stderr how far a long piece of work is: on a terminal as a bar, elsewhere as a line every few seconds. */
export class Progress {
  readonly #out: CommandContext['stderr'];
  readonly #what: string;
  readonly #total: number;
  readonly #begun = performance.now();
  #first: number;
  #shownAt = performance.now();
  #isDrawn = false;

  /**
   * @param what is being done, such as "copying".
   * @param total units of work in all.
   * @param first those done already, by a run before this one.
   */
  constructor(out: CommandContext['stderr'], what: string, total: number, first = 0) {
    this.#out = out;
    this.#what = what;
    this.#total = total;
    this.#first = first;
  }

  /** @param done units of work, of the total. */
  update(done: number): void {
    const now = performance.now();
    if (now - this.#shownAt < (this.#out.isTTY ? REDRAW_MS : LINE_MS)) return;
    this.#shownAt = now;
    this.#isDrawn = true;
    this.#out.write(this.#out.isTTY ? `\r${this.#describe(done)}\x1b[K` : `${this.#describe(done)}\n`);
  }

  /** Takes the bar away, so that a line can be written in its place. */
  clear(): void {
    if (this.#out.isTTY && this.#isDrawn) this.#out.write('\r\x1b[K');
    this.#isDrawn = false;
  }

  #describe(done: number): string {
    const share = this.#total === 0 ? 1 : Math.min(1, done / this.#total);
    const seconds = (performance.now() - this.#begun) / 1000;
    const rate = (done - this.#first) / seconds;
    const filled = Math.round(share * BAR_WIDTH);
    return [
      this.#what,
      ...(this.#out.isTTY ? [`[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}]`] : []),
      `${Math.floor(share * 100)} %,`,
      `${done} of ${this.#total},`,
      `${Math.round(rate)}/s,`,
      `${rate > 0 ? Math.ceil((this.#total - done) / rate) : '?'} s left`,
    ].join(' ');
  }
}
