import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** What the reads of a connection see together. */
export interface Snapshot {
  /** Called before a read: begins one, unless one is open. */
  begin(): void;
  /** The next read sees what has been committed until then. */
  end(): void;
}

/**
 * Reads of one turn of the event loop share a snapshot: opening one takes locks on the file, which costs more than
 * finding a message does. It ends with the turn, and whenever a write has been acknowledged, so that what is asked after
 * an answer sees what was answered.
 */
export class TurnSnapshot implements Snapshot {
  readonly #db: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  #isOpen = false;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#begin = db.prepare('BEGIN');
    this.#commit = db.prepare('COMMIT');
  }

  begin(): void {
    if (this.#isOpen) return;
    this.#begin.run();
    this.#isOpen = true;
    setImmediate(() => {
      this.end();
    });
  }

  end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    // A failed read may have ended it already.
    if (this.#db.isTransaction) this.#commit.run();
  }
}

/** For a connection that writes too: it would not see the others' locks, nor could it begin to write in between. */
export const noSnapshot: Snapshot = { begin: () => undefined, end: () => undefined };
