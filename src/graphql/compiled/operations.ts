import { LRUCache } from 'lru-cache';
import type { CompiledOperation } from './compiled-operation.ts';

/** Clients send a few dozen different texts; whoever sends ever new ones pays for that alone. */
const MAX_OPERATIONS = 1000;

/** Of all, and of one: longer texts are those with a message in them, which hardly come again. */
const MAX_BYTES = 32 * 1024 * 1024;
const MAX_OPERATION_BYTES = 2 * 1024 * 1024;

/**
 * The operations that Apollo has accepted, compiled; the least recently used are forgotten first. They hold nothing of
 * their callers: what is kept follows from the text and the schema alone.
 */
export class CompiledOperations {
  readonly #kept = new LRUCache<string, CompiledOperation>({
    max: MAX_OPERATIONS,
    maxSize: MAX_BYTES,
    maxEntrySize: MAX_OPERATION_BYTES,
    sizeCalculation: ({ bytes }) => bytes,
  });

  find(query: string, operationName: string | undefined): CompiledOperation | undefined {
    return this.#kept.get(keyOf(query, operationName));
  }

  keep(query: string, operationName: string | undefined, operation: CompiledOperation): void {
    this.#kept.set(keyOf(query, operationName), operation);
  }
}

/** No document begins with a digit, and the length keeps apart a name and a text that begins with it. */
function keyOf(query: string, operationName: string | undefined): string {
  return operationName === undefined ? query : `${operationName.length}:${operationName}${query}`;
}
