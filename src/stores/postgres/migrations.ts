import pg from 'pg';
import { assertListWhole, assertPrimary, isListWhole } from './checks.ts';

/**
 * The schema's history; hashpost_schema counts the entries that it has. Entries are only ever appended.
 *
 * `seq` is the order of the list, and message_list has the last one of it: see batch-insert.ts. It fits where there is
 * no row lock by a lock of its own, and leaves room in its page for its next versions.
 */
const migrations: readonly string[] = [
  `CREATE TABLE message (
     seq        bigint PRIMARY KEY,
     sha        bytea  NOT NULL UNIQUE CHECK (octet_length(sha) = 32),
     created_at bigint NOT NULL,
     content    bytea  NOT NULL
   );
   CREATE TABLE message_list (
     only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
     last_seq bigint  NOT NULL
   ) WITH (fillfactor = 10);
   INSERT INTO message_list (last_seq) VALUES (0)`,
];

/** Only ever upwards, so that a number which somebody else has just given is not given twice. */
const RESTORE_LIST = `
  INSERT INTO message_list (last_seq) SELECT coalesce(max(seq), 0) FROM message
  ON CONFLICT (only_row) DO UPDATE SET last_seq = greatest(message_list.last_seq, excluded.last_seq)`;

/** Any number, the same for all instances: whoever has it in a transaction migrates, and the others wait. */
const ADVISORY_LOCK = 7_243_921_055;

const CONNECT_MS = 5000;
/** The server ends the session of an instance that is gone and can no longer let go of the lock. */
const IDLE_MS = 15_000;

/**
 * Brings the schema up to date, all in one transaction under an advisory lock, so that instances may start together and
 * a crash leaves the old schema or the new one. A schema that is up to date is only read, which any role may.
 *
 * @throws Error when the server is not fit to be the primary or refuses something, or the schema is newer than this program.
 */
export async function migrate(url: string): Promise<void> {
  await withClient(url, async (client) => {
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock($1)', [ADVISORY_LOCK]);
    const version = await readVersion(client);
    if (version < migrations.length) await apply(client, version);
    if (!(await isListWhole(client))) await client.query(RESTORE_LIST);
    await client.query('COMMIT');
  });
}

/** @throws Error when the schema is not exactly the one that this program reads, or what the server refuses. */
export async function assertCurrent(url: string): Promise<void> {
  await withClient(url, async (client) => {
    const version = await readVersion(client);
    if (version < migrations.length) throw new Error('its schema is not up to date: start the service with it once');
    await assertListWhole(client);
  });
}

/** A start may take its time, which a request may not. */
async function withClient<Result>(url: string, use: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'hashpost start',
    connectionTimeoutMillis: CONNECT_MS,
    idle_in_transaction_session_timeout: IDLE_MS,
    keepAlive: true,
  });
  // What breaks it shows in what is being waited for; unheard, the event would end the process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await assertPrimary(client);
    return await use(client);
  } finally {
    await client.end();
  }
}

/** @throws Error when it is newer than this program. */
async function readVersion(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ found: boolean }>(`SELECT to_regclass('hashpost_schema') IS NOT NULL AS found`);
  if (rows[0]?.found !== true) return 0;
  const schema = await client.query<{ version: number }>('SELECT version FROM hashpost_schema');
  const version = schema.rows[0]?.version ?? 0;
  if (version > migrations.length) {
    throw new Error(
      `its schema has version ${version}, this program knows up to ${migrations.length}: run a newer Hashpost`,
    );
  }
  return version;
}

async function apply(client: pg.Client, version: number): Promise<void> {
  if (version === 0) {
    await client.query('CREATE TABLE hashpost_schema (version integer NOT NULL)');
    await client.query('INSERT INTO hashpost_schema (version) VALUES (0)');
  }
  for (const migration of migrations.slice(version)) await client.query(migration);
  await client.query('UPDATE hashpost_schema SET version = $1', [migrations.length]);
}
