import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** What the reads of a connection see together. */
export interface Snapshot {
  /** Called before a read: begins one, unless one is open. @returns whether it did. */
  begin(): boolean;
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

  begin(): boolean {
    if (this.#isOpen) return false;
    this.#begin.run();
    this.#isOpen = true;
    setImmediate(() => {
      this.end();
    });
    return true;
  }

  end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      // A failed read may have ended it already.
      if (this.#db.isTransaction) this.#commit.run();
    } catch (error) {
      // After a read of a corrupt page, the end of the transaction reports the failure of the read once more.
      if (this.#db.isTransaction) throw error;
    }
  }
}

/** For a connection that writes too, and could not begin to within a snapshot. Each read has its own. */
export const noSnapshot: Snapshot = { begin: () => true, end: () => undefined };
