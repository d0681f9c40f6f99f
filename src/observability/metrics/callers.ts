import { mergeSketches, SpaceSaving, type SketchState } from './space-saving.ts';

/** Of each kind: whoever makes more than a hundredth of the requests, or of the bytes, is among them. */
const KEPT = 100;
const SHOWN = 20;

const WINDOW_MS = 5 * 60_000;

/** The sketches of one process. */
export interface CallersState {
  /** From when on, at the earliest; in milliseconds since the Unix epoch. */
  readonly since: number;
  readonly requests: readonly SketchState[];
  readonly bytes: readonly SketchState[];
}

/** A caller's share, which lies between two numbers: memory is bounded, so small callers are mixed up. */
export interface Caller {
  readonly caller: string;
  readonly atLeast: number;
  readonly atMost: number;
}

export interface TopCallers {
  /** From when on, at the earliest; null where no process answered. */
  readonly since: string | null;
  readonly byRequests: readonly Caller[];
  readonly byBytes: readonly Caller[];
}

interface Window {
  /** Counted from the clock's zero, so that those of all processes begin together. */
  readonly number: number;
  readonly requests: SpaceSaving;
  readonly bytes: SpaceSaving;
}

/** Who makes the most requests, and who moves the most bytes, in this window of five minutes and the one before. */
export class Callers {
  readonly #now: () => number;
  #current = createWindow(-1);
  #previous = createWindow(-1);

  /** @param now Milliseconds since the Unix epoch. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** @param bytes that the request moved, in both directions. */
  record(address: string | undefined, bytes: number): void {
    this.#turn();
    const caller = callerOf(address);
    this.#current.requests.add(caller, 1);
    this.#current.bytes.add(caller, bytes);
  }

  get state(): CallersState {
    this.#turn();
    const windows = [this.#previous, this.#current];
    return {
      since: this.#previous.number * WINDOW_MS,
      requests: windows.map(({ requests }) => requests.state),
      bytes: windows.map(({ bytes }) => bytes.state),
    };
  }

  #turn(): void {
    const number = Math.floor(this.#now() / WINDOW_MS);
    if (number === this.#current.number) return;
    this.#previous = this.#current.number === number - 1 ? this.#current : createWindow(number - 1);
    this.#current = createWindow(number);
  }
}

function createWindow(number: number): Window {
  return { number, requests: new SpaceSaving(KEPT), bytes: new SpaceSaving(KEPT) };
}

export function topCallers(processes: readonly CallersState[]): TopCallers {
  return {
    since: processes.length > 0 ? new Date(Math.min(...processes.map(({ since }) => since))).toISOString() : null,
    byRequests: top(processes.flatMap(({ requests }) => requests)),
    byBytes: top(processes.flatMap(({ bytes }) => bytes)),
  };
}

function top(sketches: readonly SketchState[]): Caller[] {
  return [...mergeSketches(sketches)]
    .map(([caller, { count, error }]) => ({ caller, atLeast: count - error, atMost: count }))
    .sort((a, b) => b.atMost - a.atMost || b.atLeast - a.atLeast)
    .slice(0, SHOWN);
}

/** An IPv4 address, or the 64 bits of an IPv6 address that stand for one network: its owner has the other 64 to choose. */
export function callerOf(address = 'unknown'): string {
  if (!address.includes(':')) return address;
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = [], tail = []] = address.split('::').map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = new Array<string>(Math.max(0, 8 - head.length - tail.length)).fill('0');
  return `${[...head, ...zeros, ...tail].slice(0, 4).join(':')}::/64`;
}
