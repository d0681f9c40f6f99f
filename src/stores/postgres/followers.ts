import type { Sha, StoredMessage } from '../../messages/message.ts';
import type { Server } from './server.ts';

type Find = (server: Server, shas: readonly Sha[]) => Promise<ReadonlyMap<Sha, StoredMessage>>;

/** Read-only copies of the primary, each somewhat behind it. A message that one has is right, because it never changes. */
export class Followers {
  readonly #servers: readonly Server[];
  #turn = 0;
  #misses = 0;

  constructor(servers: readonly Server[]) {
    this.#servers = servers;
  }

  /** How many messages the primary had to be asked for, since the start; undefined where there is no follower. */
  get misses(): number | undefined {
    return this.#servers.length === 0 ? undefined : this.#misses;
  }

  /** Asks one that is not down, each in its turn. What is not found, the primary may have; nothing is, if asking fails. */
  async find(shas: readonly Sha[], find: Find): Promise<ReadonlyMap<Sha, StoredMessage>> {
    const servers = this.#servers.filter((server) => !server.isDown);
    const server = servers[this.#turn++ % servers.length];
    return server ? await find(server, shas).catch(() => NOTHING) : NOTHING;
  }

  /** @param messages that were not found here, and that the primary had. */
  countMisses(messages: number): void {
    this.#misses += messages;
  }
}

const NOTHING: ReadonlyMap<Sha, StoredMessage> = new Map();
