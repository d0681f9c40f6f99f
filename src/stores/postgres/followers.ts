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

  /** How many lookups a follower could not answer, since the start; undefined where there is none. */
  get misses(): number | undefined {
    return this.#servers.length === 0 ? undefined : this.#misses;
  }

  /** Asks one that is not down, each in its turn. What is not found, the primary may have; nothing is, if asking fails. */
  async find(shas: readonly Sha[], find: Find): Promise<ReadonlyMap<Sha, StoredMessage>> {
    const servers = this.#servers.filter((server) => !server.isDown);
    const server = servers[this.#turn++ % servers.length];
    const found = server ? await find(server, shas).catch(() => NOTHING) : NOTHING;
    this.#misses += shas.length - found.size;
    return found;
  }
}

const NOTHING: ReadonlyMap<Sha, StoredMessage> = new Map();
