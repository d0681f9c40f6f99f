import { parseDatabaseUrl } from '../setting-values.ts';
import type { StoreLocation } from '../stores/open-store.ts';
import { usageError } from './command.ts';

/**
 * The store that an argument names, as DATABASE_URL would.
 *
 * @throws CommandError for a malformed one, which is not repeated because it may hold a password, and for memory:.
 */
export function parseStoreArgument(parameter: string, text: string): StoreLocation {
  const location = parse(parameter, text);
  if (location.kind === 'memory') throw usageError(`<${parameter}> is memory:, which is gone when its process ends`);
  return location;
}

function parse(parameter: string, text: string): StoreLocation {
  try {
    return parseDatabaseUrl(text);
  } catch (error) {
    throw usageError(`<${parameter}> must be ${(error as Error).message}`);
  }
}
