import type { Sha, StoredMessage } from '../../messages/message.ts';
import type { BatchOutcome } from '../group-commit.ts';
import { encodeByteaArray } from './bytea-array.ts';
import { UnfitServerError } from './postgres-error.ts';
import { toKey } from './rows.ts';
import type { Server, Statement } from './server.ts';

/**
 * Inserts those of a batch that are new, with the numbers that follow the last one of the list.
 *
 * Numbers must become visible in their order: a reader that has seen one goes on behind it, and would never see a lower
 * one that was committed later. A sequence cannot promise that. Here a batch first locks the one row of message_list,
 * which the next batch of any instance gets only when this one's commit is visible; so numbers are given and shown in the
 * same order, on followers too, which replay commits in theirs. What this costs is that commits do not overlap; a batch
 * has up to 512 messages for that.
 *
 * A text that another instance commits while this statement waits for the lock is not yet in its snapshot and conflicts;
 * its number stays unused. Nothing waits for the lock where all are known.
 */
const INSERT: Statement = {
  name: 'insert',
  text: `
    WITH fresh AS MATERIALIZED (
      SELECT sha, created_at, content, row_number() OVER (ORDER BY place) AS nth
      FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) WITH ORDINALITY AS batch (sha, created_at, content, place)
      WHERE NOT EXISTS (SELECT FROM message WHERE message.sha = batch.sha)
    ), list AS (
      UPDATE message_list SET last_seq = last_seq + (SELECT count(*) FROM fresh)
      WHERE EXISTS (SELECT FROM fresh)
      RETURNING last_seq - (SELECT count(*) FROM fresh) AS seq
    ), added AS (
      INSERT INTO message (seq, sha, created_at, content)
      SELECT list.seq + nth, sha, created_at, content FROM list, fresh
      ON CONFLICT (sha) DO NOTHING
      RETURNING encode(sha, 'hex') AS sha
    )
    SELECT ARRAY(SELECT sha FROM added), coalesce(current_setting('fsync', true), 'on') <> 'off'
      AND coalesce(current_setting('synchronous_commit', true), 'on') <> 'off'`,
};

/**
 * Stores messages in one transaction.
 *
 * @param find looks messages up on the same server.
 * @throws what the server throws; nothing of the batch is stored then, or nobody knows.
 */
export async function insertBatch(
  server: Server,
  messages: readonly StoredMessage[],
  find: (shas: readonly Sha[]) => Promise<ReadonlyMap<Sha, StoredMessage>>,
): Promise<BatchOutcome> {
  const firsts = new Map<Sha, StoredMessage>();
  for (const message of messages) if (!firsts.has(message.sha)) firsts.set(message.sha, message);
  const distinct = [...firsts.values()];
  const [row] = await server.query<[added: Sha[], isDurable: boolean]>(INSERT, [
    encodeByteaArray(distinct.map(({ sha }) => toKey(sha))),
    distinct.map(({ createdAt }) => createdAt),
    encodeByteaArray(distinct.map(({ text }) => Buffer.from(text))),
  ]);
  const [shas = [], isDurable = false] = row ?? [];
  // It was turned off while the connection was open: what is stored may be lost, what is known too.
  if (!isDurable) throw new UnfitServerError('the server has fsync or synchronous_commit off');
  const added = new Set(shas);
  const known = distinct.map(({ sha }) => sha).filter((sha) => !added.has(sha));
  return outcomeOf(messages, added, known.length > 0 ? await find(known) : new Map());
}

/** @param added which were new; the first of them in the batch, where it has one twice. */
function outcomeOf(
  messages: readonly StoredMessage[],
  added: Set<Sha>,
  known: ReadonlyMap<Sha, StoredMessage>,
): BatchOutcome {
  const firsts = new Map(known);
  const outcome = new Map<number, StoredMessage>();
  messages.forEach((message, place) => {
    const first = firsts.get(message.sha);
    if (first) outcome.set(place, first);
    else if (added.has(message.sha)) firsts.set(message.sha, message);
    else throw new Error('a message is neither new nor known');
  });
  return outcome;
}
