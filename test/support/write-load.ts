import { setTimeout as sleep } from 'node:timers/promises';
import { shaOf } from '../../src/messages/message.ts';
import type { Answer, Client } from './client.ts';
import { addMessage, post } from './requests.ts';

const RETRY_MS = 50;

/** Milliseconds of performance.now(): of the first try, and of the success. */
interface Times {
  readonly sent: number;
  readonly acknowledged: number;
}

interface WriterOptions {
  readonly stop?: AbortSignal | undefined;
  readonly onAcknowledged?: (answer: Answer) => void;
}

/** New texts that clients write, all at once, each one text after the other; and which were acknowledged. */
export class WriteLoad {
  readonly acknowledged = new Map<string, Times>();
  readonly #mayRefuse: (answer: Answer) => boolean;
  #texts = 0;

  /** @param mayRefuse Which answers, other than success, are in order; then the client tries again. */
  constructor(mayRefuse: (answer: Answer) => boolean = () => false) {
    this.#mayRefuse = mayRefuse;
  }

  /**
   * Writes through both doors in turn, until the connection breaks or the client is told to stop.
   *
   * @returns whether the connection broke.
   * @throws Error at any other answer than success or a refusal.
   */
  async write(client: Client, { stop, onAcknowledged }: WriterOptions = {}): Promise<boolean> {
    try {
      for (let index = 0; !stop?.aborted; index++) {
        const text = `${this.#texts++} ${'x'.repeat(index % 500)}`;
        const sent = performance.now();
        const answer = await this.#writeUntilKept(client, index % 2 ? tryPost : tryAdd, text, stop);
        if (!answer) break;
        this.acknowledged.set(text, { sent, acknowledged: performance.now() });
        onAcknowledged?.(answer);
      }
      return false;
    } catch (error) {
      if (!/^(ECONNRESET|ECONNREFUSED|EPIPE)$/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
      return true;
    } finally {
      client.close();
    }
  }

  /** @throws Error unless the list has each acknowledged text once, and in an order that fits the times. */
  assertKept(list: readonly string[]): void {
    const positions = new Map(list.map((sha, position) => [sha, position]));
    if (positions.size !== list.length) throw new Error(`${list.length - positions.size} are in the list twice`);
    const kept = [...this.acknowledged].map(([text, times]) => ({
      text,
      ...times,
      position: positions.get(shaOf(text)),
    }));
    const lost = kept.filter(({ position }) => position === undefined);
    if (lost.length > 0) throw new Error(`${lost.length} of ${kept.length} are lost, such as ${lost[0]?.text}`);
    let earliest = Infinity;
    for (const { sent, acknowledged, text } of kept.sort((a, b) => Number(b.position) - Number(a.position))) {
      if (sent > earliest) throw new Error(`${text} was sent after one behind it in the list was acknowledged`);
      earliest = Math.min(earliest, acknowledged);
    }
  }

  async #writeUntilKept(
    client: Client,
    write: typeof tryPost,
    text: string,
    stop: AbortSignal | undefined,
  ): Promise<Answer | undefined> {
    for (;;) {
      const [answer, success] = await write(client, text);
      if (answer.text.trimEnd() === success) return answer;
      if (!this.#mayRefuse(answer)) throw new Error(`status ${answer.status}: ${answer.text}`);
      if (stop?.aborted) return undefined;
      await sleep(RETRY_MS);
    }
  }
}

/** The answer, and what it would say if it were a success. */
async function tryPost(client: Client, text: string): Promise<[Answer, string]> {
  return [await post(client, text), JSON.stringify({ digest: shaOf(text) })];
}

async function tryAdd(client: Client, text: string): Promise<[Answer, string]> {
  return [await addMessage(client, text), JSON.stringify({ data: { addMessage: { sha: shaOf(text) } } })];
}
