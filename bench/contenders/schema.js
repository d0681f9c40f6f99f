// Hashpost's own schema over Hashpost's own table, by the shortest way there is: what the peers' libraries are given.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { makeExecutableSchema } from '@graphql-tools/schema';
import { GraphQLScalarType } from 'graphql';
import { database } from './listen.js';

/** As src/stores/sqlite has them: the pragmas, the statements, and a connection each to read and to write by. */
const BUSY_TIMEOUT_MS = 2000;
const reader = new DatabaseSync(database, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
const writer = new DatabaseSync(database, { timeout: BUSY_TIMEOUT_MS });
writer.exec('PRAGMA journal_mode = WAL');
writer.exec('PRAGMA synchronous = FULL');
const findRow = reader.prepare('SELECT created_at, content FROM message WHERE sha = ?');
const readPage = reader.prepare(
  'SELECT lower(hex(sha)) AS sha, created_at, content FROM message WHERE seq > ? ORDER BY seq LIMIT ?',
);
const insert = writer.prepare(
  'INSERT INTO message (sha, created_at, content) VALUES (?, ?, ?) ON CONFLICT (sha) DO NOTHING',
);

function messageBySha(sha) {
  const row = findRow.get(Buffer.from(sha, 'hex'));
  return row ? toMessage(sha, row) : null;
}

function messages(first) {
  const rows = readPage.all(0, first + 1);
  const nodes = rows.slice(0, first).map((row) => toMessage(row.sha, row));
  const pageInfo = {
    hasNextPage: rows.length > first,
    hasPreviousPage: false,
    startCursor: nodes[0]?.sha,
    endCursor: nodes.at(-1)?.sha,
  };
  return { nodes, pageInfo };
}

/** One commit, on disk before it returns. */
function addMessage(text) {
  const content = Buffer.from(text);
  const digest = createHash('sha256').update(content).digest();
  const sha = digest.toString('hex');
  const createdAt = Date.now();
  if (insert.run(digest, createdAt, content).changes === 0) return messageBySha(sha);
  return { sha, text, bytes: content.byteLength, createdAt: new Date(createdAt) };
}

function toMessage(sha, { created_at: createdAt, content }) {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  return { sha, text: bytes.toString(), bytes: bytes.byteLength, createdAt: new Date(createdAt) };
}

export const schema = makeExecutableSchema({
  typeDefs: readFileSync(new URL('../../schema/schema.graphql', import.meta.url), 'utf8'),
  resolvers: {
    Query: {
      messageBySha: (_, { sha }) => messageBySha(sha),
      messages: (_, { first }) => messages(first),
    },
    Mutation: { addMessage: (_, { text }) => addMessage(text) },
    MessageConnection: { edges: ({ nodes }) => nodes.map((node) => ({ cursor: node.sha, node })) },
    DateTimeISO: new GraphQLScalarType({ name: 'DateTimeISO', serialize: (date) => date.toISOString() }),
  },
});
