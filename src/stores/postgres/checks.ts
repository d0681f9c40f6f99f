import { UnfitServerError } from './postgres-error.ts';
import type { Queryable } from './server.ts';

/** Settings that a database which only speaks PostgreSQL's protocol may not have, and then has no say in. */
const STATE = `SELECT pg_is_in_recovery(), current_setting('fsync', true), current_setting('synchronous_commit', true)`;

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

/** Whether a server has messages to read. */
export async function assertReadable(client: Queryable): Promise<void> {
  await client.query({ text: 'SELECT FROM message LIMIT 1', rowMode: 'array' });
}
