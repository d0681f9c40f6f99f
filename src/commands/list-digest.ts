import { createHash } from 'node:crypto';
import type { Sha } from '../messages/message.ts';
import type { MessageSource } from '../messages/message.store.ts';
import { pause } from './command.ts';

/** How many messages a list has, and one hash for all of them in their order, hexadecimal: equal lists have equal ones. */
export interface ListState {
  readonly count: number;
  readonly digest: string;
}

export class ListDigest {
  readonly #hash = createHash('sha256');
  #count = 0;

  add(shas: readonly Sha[]): void {
    for (const sha of shas) this.#hash.update(`${sha}\n`);
    this.#count += shas.length;
  }

  /** Nothing can be added afterwards. */
  end(): ListState {
    return { count: this.#count, digest: this.#hash.digest('hex') };
  }
}

/** @throws CommandError when it is told to stop. */
export async function readListState(source: MessageSource, stop: AbortSignal): Promise<ListState> {
  const digest = new ListDigest();
  for await (const shas of source.shas()) {
    digest.add(shas);
    await pause(stop);
  }
  return digest.end();
}
