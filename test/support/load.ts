// Puts a service under load from a process of its own, and prints what it saw as JSON; see runLoad in run-load.ts.
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import type { LoadOptions, LoadResult } from './run-load.ts';

const { url, ca, request, connections, perSecond, seconds } = JSON.parse(process.argv[2] as string) as LoadOptions;
const { hostname: host, port } = new URL(url);
const statuses: Record<string, number> = {};
const latencies: number[] = [];
let [retryAfters, unsent] = [0, 0];
const free: Connection[] = [];

/** One request at a time, each written as it is. */
class Connection {
  readonly #socket: TLSSocket;
  #due = 0;
  #head = '';
  #missing = 0;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => (statuses['error'] = (statuses['error'] ?? 0) + 1));
  }

  /** @param due When it should have been sent. */
  send(due: number): void {
    this.#due = due;
    this.#socket.write(request);
  }

  #take(chunk: Buffer): void {
    if (this.#head === '') {
      this.#head = chunk.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n') + 4;
      this.#missing = end + Number(/^content-length: (\d+)/im.exec(this.#head)?.[1]);
    }
    this.#missing -= chunk.length;
    if (this.#missing > 0) return;
    const status = this.#head.slice(9, 12);
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (status === '200') latencies.push(performance.now() - this.#due);
    else if (/^retry-after: /im.test(this.#head)) retryAfters++;
    this.#head = '';
    onFree(this);
  }

  close(): void {
    this.#socket.destroy();
  }
}

let onFree = (connection: Connection): unknown => free.push(connection);

async function open(): Promise<Connection> {
  const socket = connect({ host, port: Number(port), ca });
  await once(socket, 'secureConnect');
  return new Connection(socket);
}

const all: Connection[] = [];
while (all.length < connections) all.push(...(await Promise.all(Array.from({ length: 20 }, open))));
const begun = performance.now();
const end = begun + seconds * 1000;

if (perSecond === undefined) {
  // Closed: each connection asks again when it has its answer.
  onFree = (connection) => performance.now() < end && connection.send(performance.now());
  for (const connection of all) onFree(connection);
} else {
  // Open: requests come when they come, whatever became of those before.
  free.push(...all);
  let planned = 0;
  const timer = setInterval(() => {
    const now = Math.min(performance.now(), end);
    for (; planned < ((now - begun) * perSecond) / 1000; planned++) {
      const connection = free.shift();
      if (connection) connection.send(begun + (planned * 1000) / perSecond);
      else unsent++;
    }
    if (now === end) clearInterval(timer);
  }, 1);
}

setTimeout(
  () => {
    for (const connection of all) connection.close();
    latencies.sort((a, b) => a - b);
    const at = (share: number): number => Math.round(latencies[Math.floor(latencies.length * share)] ?? 0);
    const result: LoadResult = {
      statuses,
      retryAfters,
      unsent,
      goodput: Math.round(latencies.length / seconds),
      p50: at(0.5),
      p99: at(0.99),
    };
    process.stdout.write(JSON.stringify(result));
  },
  seconds * 1000 + 1000,
);
