import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import type { StoreLocation } from './stores/open-store.ts';

/** From the text of a setting to its value. Every parser throws an Error with the end of the sentence "VARIABLE must be …". */

export function integerFrom(min: number, max: number): (text: string) => number {
  return function parseInteger(text) {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new Error(`a whole number from ${min} to ${max}`);
  };
}

export function parseMetricsPort(text: string): number | undefined {
  if (text === '') return undefined;
  try {
    return integerFrom(0, 65_535)(text);
  } catch (error) {
    throw new Error(`empty or ${(error as Error).message}`, { cause: error });
  }
}

export function parseHost(text: string): string {
  if (/^[A-Za-z0-9.:_-]+$/.test(text)) return text;
  throw new Error('an IP address or a host name');
}

export function parsePath(text: string): string {
  if (text !== '' && !text.includes('\0')) return text;
  throw new Error('the path of a file');
}

export function parseDatabaseUrl(text: string): StoreLocation {
  if (text === 'memory:') return { kind: 'memory' };
  const path = /^file:(?:\/\/(?=\/))?([^\0?#]+)$/.exec(text)?.[1];
  // What SQLite itself would take for something else than a path: a database without a file, and a URL.
  if (path !== undefined && !/^(\/\/|:memory:$|file:)/.test(path)) return { kind: 'sqlite', path };
  if (isPostgresUrl(text)) return { kind: 'postgres', url: text };
  throw new Error('file:PATH, memory: or postgres://USER@HOST/NAME');
}

export function parseReadDatabaseUrls(text: string): readonly string[] {
  const urls = text.split(',').map((url) => url.trim());
  if (text.trim() === '') return [];
  if (urls.every(isPostgresUrl)) return urls;
  throw new Error('URLs like postgres://USER@HOST/NAME, separated by commas (a comma within one is %2C)');
}

function isPostgresUrl(text: string): boolean {
  if (!/^postgres(ql)?:\/\//.test(text) || !URL.canParse(text)) return false;
  const { hostname, pathname } = new URL(text);
  return hostname !== '' && /^\/[^/]+$/.test(pathname);
}

export function parseWorkers(text: string): number {
  return text === 'auto' ? availableParallelism() : parseWorkerCount(text);
}

function parseWorkerCount(text: string): number {
  try {
    return integerFrom(1, 256)(text);
  } catch (error) {
    throw new Error(`auto or ${(error as Error).message}`, { cause: error });
  }
}

export function parseOrigins(text: string): readonly string[] {
  const origins = text.split(',').map((origin) => origin.trim());
  if (text.trim() === '') return [];
  if (origins.every(isWebOrigin)) return origins;
  throw new Error('web origins separated by commas, each like https://app.example.com, without a path');
}

function isWebOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

export function parseProxies(text: string): readonly string[] {
  const proxies = text.split(',').map((proxy) => proxy.trim());
  if (text.trim() === '') return [];
  if (proxies.every(isAddressBlock)) return proxies;
  throw new Error('addresses or CIDR blocks separated by commas, each like 10.0.0.7 or 10.0.0.0/24');
}

/** Without a zone, and never of all addresses: then any client could name any address. */
function isAddressBlock(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/');
  const bits = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0;
  const isBlock = prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= bits);
  return bits > 0 && isBlock && more.length === 0 && !address.includes('%');
}
