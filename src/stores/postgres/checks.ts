import { describe, UnfitServerError } from './postgres-error.ts';
import type { Queryable, Server, Statement } from './server.ts';

/** Settings that a database which only speaks PostgreSQL's protocol may not have, and then has no say in. */
const STATE = `SELECT pg_is_in_recovery(), current_setting('fsync', true), current_setting('synchronous_commit', true)`;

/** The sha of the first message, hexadecimal. */
const FIRST: Statement = { name: 'first', text: `SELECT encode(sha, 'hex') FROM message ORDER BY seq LIMIT 1` };

const WRITABLE = `
  SELECT current_setting('transaction_read_only', true),
    has_table_privilege('message', 'SELECT') AND has_table_privilege('message', 'INSERT') AND
    has_table_privilege('message_list', 'SELECT') AND has_table_privilege('message_list', 'UPDATE')`;

/** Both in one snapshot, in which no message has a number above the list's. */
const IS_LIST_WHOLE = `
  SELECT coalesce((SELECT last_seq FROM message_list) >= (SELECT coalesce(max(seq), 0) FROM message), false)`;

const UNDEFINED_TABLE = '42P01';
const INSUFFICIENT_PRIVILEGE = '42501';

/**
 * Whether a server may be written to, and keeps what it acknowledges.
 * @throws UnfitServerError that names the server's setting.
 */
export async function assertPrimary(client: Queryable): Promise<void> {
  const { rows } = await client.query({ text: STATE, rowMode: 'array' });
  const [isFollower, fsync, synchronousCommit] = rows[0] as [boolean, string | null, string | null];
  if (isFollower) throw new UnfitServerError('the server is a read-only follower; DATABASE_URL must name the primary');
  if (fsync === 'off') throw new UnfitServerError('the server has fsync=off and would lose messages; turn it on');
  if (synchronousCommit === 'off') {
    throw new UnfitServerError('the server has synchronous_commit=off and would lose messages; turn it on');
  }
}

/** Whether a primary would take a message. @throws Error that says why not. */
export async function assertWritable(client: Queryable): Promise<void> {
  const { rows } = await client.query({ text: WRITABLE, rowMode: 'array' });
  const [isReadOnly, isAllowed] = rows[0] as [string | null, boolean];
  if (isReadOnly === 'on') throw new UnfitServerError('the database is read-only: default_transaction_read_only is on');
  if (!isAllowed) throw new UnfitServerError('the role may not write to the tables message and message_list');
  await assertListWhole(client);
}

/** @throws UnfitServerError when the list, which would be shorter than it is, must not be read. */
export async function assertListWhole(client: Queryable): Promise<void> {
  if (await isListWhole(client)) return;
  throw new UnfitServerError('message_list lacks messages; the next start of the service restores it');
}

/** Not where somebody restored the messages alone, say. */
export async function isListWhole(client: Queryable): Promise<boolean> {
  const { rows } = await client.query({ text: IS_LIST_WHOLE, rowMode: 'array' });
  return (rows[0] as [boolean])[0];
}

/**
 * Whether a server is a follower of the primary: whether it has messages, and the first of them is the primary's. That
 * one never changes, and of two stores it is not the same.
 *
 * @param readFirst see `createReadFirst`.
 * @throws UnfitServerError
 */
export async function assertFollows(client: Queryable, readFirst: () => Promise<string | undefined>): Promise<void> {
  const found = await readFirstOf(client);
  if (found === undefined) return;
  const expected = await readFirst();
  if (expected !== undefined && expected !== found) throw new UnfitServerError('it has the messages of another store');
}

/** Reads the first message of the primary until there is one; nothing is known of it while the primary does not answer. */
export function createReadFirst(primary: Server): () => Promise<string | undefined> {
  let first: string | undefined;
  return async () => (first ??= (await primary.query<[string]>(FIRST, []).catch(() => []))[0]?.[0]);
}

async function readFirstOf(client: Queryable): Promise<string | undefined> {
  try {
    const { rows } = await client.query({ text: FIRST.text, rowMode: 'array' });
    return (rows[0] as [string] | undefined)?.[0];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== UNDEFINED_TABLE && code !== INSUFFICIENT_PRIVILEGE) throw error;
    throw new UnfitServerError(`it shows no messages: ${describe(error as Error)}`);
  }
}
