import { createdAtOf, newText, shaOf, shaOfText, textOf } from './messages.js';

/**
 * What the contenders are asked.
 *
 * @typedef {object} Call
 * @property {'GET' | 'POST'} method
 * @property {string} path
 * @property {string} [body]
 * @property {() => unknown} answer what has to come back
 *
 * @typedef {object} Work
 * @property {string} title
 * @property {number} connections
 * @property {readonly string[]} contenders
 * @property {readonly ((rows: number) => Call)[]} calls makers of a call against a database of so many rows; one is
 *   picked at random for each request, so a maker that stands there twice is called twice as often
 */

const PAGE_SIZE = 100;
/** So that a page has a next one. */
export const MIN_ROWS = PAGE_SIZE + 1;

const REST = ['raw', 'hashpost', 'hashpost-metrics'];
const GRAPHQL = ['raw', 'hashpost', 'apollo', 'yoga', 'mercurius', 'mercurius-jit'];

function getBySha(rows) {
  const row = randomRow(rows);
  return { method: 'GET', path: `/messages/${shaOf(row)}`, answer: () => ({ message: textOf(row) }) };
}

function postNew() {
  const text = newText();
  return post('/messages', { message: text }, () => ({ digest: shaOfText(text) }));
}

function messageBySha(rows) {
  const row = randomRow(rows);
  const query = 'query Message($sha: Sha256!) { messageBySha(sha: $sha) { sha text bytes createdAt } }';
  return graphql(query, { sha: shaOf(row) }, () => ({ messageBySha: messageOf(row) }));
}

function firstPage() {
  const query =
    'query Page($first: Int) { messages(first: $first) { nodes { sha text bytes createdAt } pageInfo { hasNextPage endCursor } } }';
  return graphql(query, { first: PAGE_SIZE }, () => ({
    messages: {
      nodes: Array.from({ length: PAGE_SIZE }, (_, index) => messageOf(index + 1)),
      pageInfo: { hasNextPage: true, endCursor: shaOf(PAGE_SIZE) },
    },
  }));
}

function addNew() {
  const text = newText();
  const query = 'mutation Add($text: String!) { addMessage(text: $text) { sha bytes } }';
  return graphql(query, { text }, () => ({ addMessage: { sha: shaOfText(text), bytes: Buffer.byteLength(text) } }));
}

/** @type {Record<string, Work>} */
export const works = {
  get: { title: 'GET by sha', connections: 32, contenders: REST, calls: [getBySha] },
  post: {
    title: 'POST of new texts, durable, 64 connections',
    connections: 64,
    contenders: [...REST, 'hashpost-memory'],
    calls: [postNew],
  },
  message: {
    title: 'GraphQL messageBySha',
    connections: 32,
    contenders: [...GRAPHQL, 'hashpost-metrics'],
    calls: [messageBySha],
  },
  page: { title: 'GraphQL messages(first: 100)', connections: 32, contenders: GRAPHQL, calls: [firstPage] },
  add: { title: 'GraphQL addMessage of new texts, durable', connections: 32, contenders: GRAPHQL, calls: [addNew] },
  mixed: {
    title: 'Mixed: 80 % messageBySha, 10 % messages(first: 100), 10 % addMessage',
    connections: 32,
    contenders: GRAPHQL,
    calls: [...Array.from({ length: 8 }, () => messageBySha), firstPage, addNew],
  },
};

function graphql(query, variables, data) {
  return post('/graphql', { query, variables }, () => ({ data: data() }));
}

function post(path, body, answer) {
  return { method: 'POST', path, body: JSON.stringify(body), answer };
}

function messageOf(row) {
  const text = textOf(row);
  const createdAt = new Date(createdAtOf(row)).toISOString();
  return { sha: shaOf(row), text, bytes: Buffer.byteLength(text), createdAt };
}

function randomRow(rows) {
  return 1 + Math.floor(Math.random() * rows);
}
