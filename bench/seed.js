import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { createdAtOf, shaOf, textOf } from './messages.js';
import { startServer } from './servers.js';

const ROWS_PER_COMMIT = 50_000;
const BAR_WIDTH = 40;
/** The index on random digests must not be read from disk for each row. */
const CACHE_KIB = 1024 * 1024;

/**
 * Makes the database as Hashpost itself makes it, and Hashpost's certificate with it; brings it to just the wanted rows.
 * One that is there is taken over without what an earlier run has added.
 *
 * @param {import('./servers.js').Place} place
 * @param {number} rows
 * @throws {Error} when the database holds messages of somebody else, or more rows than wanted
 */
export async function prepareDatabase(place, rows) {
  const isNew = !existsSync(place.database);
  const server = await startServer('hashpost', place);
  await server.stop();
  using db = new DatabaseSync(place.database);
  db.exec(`PRAGMA synchronous = OFF; PRAGMA cache_size = -${CACHE_KIB}`);
  const seeded = isNew ? 0 : countSeeded(db);
  if (seeded > rows) throw new Error(`${place.database} has ${seeded} rows: give --rows ${seeded}, or another file`);
  db.prepare('DELETE FROM message WHERE seq > ?').run(seeded);
  await insertRows(db, seeded, rows);
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
}

/** The seeded rows come first, without a gap, so that their number is found by halving. */
function countSeeded(db) {
  const findSha = db.prepare('SELECT lower(hex(sha)) AS sha FROM message WHERE seq = ?');
  const isSeeded = (row) => findSha.get(row)?.sha === shaOf(row);
  let [seeded, beyond] = [0, db.prepare('SELECT coalesce(max(seq), 0) + 1 AS beyond FROM message').get().beyond];
  if (beyond > 1 && !isSeeded(1)) throw new Error('the database holds messages that are not of this benchmark');
  while (beyond - seeded > 1) {
    const middle = Math.floor((seeded + beyond) / 2);
    if (isSeeded(middle)) seeded = middle;
    else beyond = middle;
  }
  return seeded;
}

async function insertRows(db, seeded, rows) {
  const insert = db.prepare('INSERT INTO message (seq, sha, created_at, content) VALUES (?, ?, ?, ?)');
  for (let first = seeded + 1; first <= rows; first += ROWS_PER_COMMIT) {
    const last = Math.min(rows, first + ROWS_PER_COMMIT - 1);
    db.exec('BEGIN IMMEDIATE');
    for (let row = first; row <= last; row += 1) {
      insert.run(row, Buffer.from(shaOf(row), 'hex'), createdAtOf(row), Buffer.from(textOf(row)));
    }
    db.exec('COMMIT');
    showProgress(last / rows, rows);
    // Lets Ctrl-C and the limit of time in.
    await setImmediate();
  }
}

function showProgress(share, rows) {
  const bar = '#'.repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '.');
  process.stderr.write(`\rseeding ${rows} rows [${bar}] ${Math.floor(share * 100)} %${share === 1 ? '\n' : ''}`);
}
