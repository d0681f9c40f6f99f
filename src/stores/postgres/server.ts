import pg from 'pg';
import { Breaker } from './breaker.ts';
import { describe, isRefusedForRoom, PoolExhaustedError } from './postgres-error.ts';

/** A statement that a connection prepares once, under its name. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

export interface ServerOptions {
  readonly url: string;
  /** Connections at most. */
  readonly poolSize: number;
  /** How long to wait for a connection, new or given back. */
  readonly connectMs: number;
  /** How long to wait for an answer; the server itself gives up a statement somewhat earlier. */
  readonly answerMs: number;
  /** Run on every new connection, and to probe a server that failed; rejects if the server is not fit for its part. */
  readonly check: (client: Queryable) => Promise<void>;
  /** What ping asks besides: whether a server that is fit would also do all that it is there for. */
  readonly checkReady?: (client: Queryable) => Promise<void>;
  /** Told when it is found to be down, and when it is well again. */
  readonly onChange: (change: ServerChange) => void;
}

export interface ServerChange {
  /** Host, port and database. */
  readonly server: string;
  /** Why it is down; undefined where it is not. */
  readonly reason: string | undefined;
}

export interface Queryable {
  query(config: pg.QueryArrayConfig): Promise<pg.QueryArrayResult>;
}

/** The server gives up first, so that a statement that is merely slow does not look like a server that is gone. */
const STATEMENT_SHARE = 0.8;

/**
 * Most probes give up sooner than a caller would, for what they wait for may be a server that has just come back; every
 * third waits as long as a caller, for a server that is far away.
 */
const PROBE_MS = [500, 1000, 1500];
const PING_MS = 1500;

/** How long the answer to one ping is good for others. */
const PING_HOLD_MS = 500;

/** One PostgreSQL server: a bounded pool of connections, bounded waits, and a breaker for when it is down. */
export class Server {
  readonly #pool: pg.Pool;
  readonly #breaker: Breaker;
  readonly #options: ServerOptions;
  #ping: Promise<void> | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    const statementMs = Math.floor(options.answerMs * STATEMENT_SHARE);
    this.#pool = new pg.Pool({
      connectionString: options.url,
      application_name: 'hashpost',
      max: options.poolSize,
      connectionTimeoutMillis: options.connectMs,
      query_timeout: options.answerMs,
      statement_timeout: statementMs,
      keepAlive: true,
      // The pool waits for what it returns; its type does not say so.
      // eslint-disable-next-line @typescript-eslint/no-misused-promises
      onConnect: options.check,
    });
    // A connection that breaks while nobody uses it is replaced when it is needed; unheard, the event would end the process.
    this.#pool.on('error', () => undefined);
    const { host, pathname } = new URL(options.url);
    this.#breaker = new Breaker({
      probe: (attempt) => this.#probe(PROBE_MS[attempt % PROBE_MS.length] ?? PING_MS),
      onChange: (failure) => {
        options.onChange({ server: host + pathname, reason: failure && describe(failure) });
      },
    });
  }

  /** Whether it is known to be down. */
  get isDown(): boolean {
    return this.#breaker.isOpen;
  }

  get pool(): { readonly size: number; readonly idle: number; readonly waiting: number } {
    const { totalCount, idleCount, waitingCount } = this.#pool;
    return { size: totalCount, idle: idleCount, waiting: waitingCount };
  }

  /**
   * @returns rows as arrays; bytea as Buffer, bigint as its digits.
   * @throws AppError STORE_UNAVAILABLE at once while the server is down, else what the driver throws within the waits.
   */
  query<Row extends unknown[]>({ name, text }: Statement, values: readonly unknown[]): Promise<Row[]> {
    return this.#breaker.run(async () => {
      try {
        const { rows } = await this.#pool.query<Row>({ name, text, values: [...values], rowMode: 'array' });
        return rows;
      } catch (error) {
        throw this.#isExhausted(error) ? new PoolExhaustedError('no connection was free in time') : error;
      }
    });
  }

  /** For any number of callers at the cost of one. @throws what keeps the server from doing its part. */
  ping(): Promise<void> {
    this.#ping ??= this.#breaker
      .run(() => this.#ask())
      .finally(() => setTimeout(() => (this.#ping = undefined), PING_HOLD_MS).unref());
    return this.#ping;
  }

  async close(): Promise<void> {
    this.#breaker.close();
    await this.#pool.end();
  }

  async #ask(): Promise<void> {
    const { checkReady } = this.#options;
    try {
      await this.#probe(PING_MS, checkReady);
    } catch (error) {
      // No room for one connection more is no trouble to whoever has some.
      if (!isRefusedForRoom(error)) throw error;
      await checkReady?.(this.#pool);
    }
  }

  /** On a connection of its own: those of the pool may all be waiting for a server that is gone. */
  async #probe(limitMs: number, checkMore?: (client: Queryable) => Promise<void>): Promise<void> {
    const { url, check } = this.#options;
    const client = new pg.Client({
      connectionString: url,
      application_name: 'hashpost probe',
      connectionTimeoutMillis: limitMs,
      query_timeout: limitMs,
    });
    // What breaks it shows in what is being waited for.
    client.on('error', () => undefined);
    try {
      await client.connect();
      await check(client);
      await checkMore?.(client);
    } finally {
      void client.end().catch(() => undefined);
    }
  }

  /** The pool tells it only by its words. */
  #isExhausted(error: unknown): boolean {
    return (
      error instanceof Error &&
      error.message === 'timeout exceeded when trying to connect' &&
      this.#pool.totalCount >= this.#options.poolSize
    );
  }
}
