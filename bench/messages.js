import { hash, randomBytes } from 'node:crypto';

/** The seeded messages are a function of their row, so that every process knows them all without reading any. */

const FIRST_CREATED_AT = Date.UTC(2024, 0, 1);

/** About 100 bytes of UTF-8, with what JSON has to escape and what it has not. */
export function textOf(row) {
  return `No. ${row}: "Grüße" – said Zoë, C:\\temp – καλημέρα, 日本語, and so on to the end.`;
}

export function shaOf(row) {
  return shaOfText(textOf(row));
}

export function shaOfText(text) {
  return hash('sha256', text);
}

/** In milliseconds since the Unix epoch. */
export function createdAtOf(row) {
  return FIRST_CREATED_AT + row;
}

const run = randomBytes(4).toString('hex');
let added = 0;

/** A text that nobody has stored yet. */
export function newText() {
  added += 1;
  return textOf(`${run}-${added}`);
}
