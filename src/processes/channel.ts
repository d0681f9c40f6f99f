import cluster, { type Worker } from 'node:cluster';
import type { ProcessReport } from '../observability/metrics/metrics.ts';

/**
 * The channel between the primary process and its workers. Every message has a topic, and a payload whose type follows
 * from the topic.
 */

/** What the primary sends to its workers. */
export interface ToWorker {
  /** Certificate and key that all workers show, as PEM. */
  readonly tls: { readonly cert: string; readonly key: string };
  /** Keys for session tickets, as base64. */
  readonly ticketKeys: string;
  /** Asks for a report. */
  readonly collectMetrics: null;
}

/** What a worker sends to the primary. */
export interface ToPrimary {
  /** The answer to `collectMetrics`. */
  readonly metrics: ProcessReport;
}

interface Message<Topics, Topic extends keyof Topics> {
  readonly topic: Topic;
  readonly payload: Topics[Topic];
}

/** node:cluster sends messages of its own, and a debugger or a supervisor may send others. */
function isAbout<Topics, Topic extends keyof Topics>(
  message: unknown,
  topic: Topic,
): message is Message<Topics, Topic> {
  return typeof message === 'object' && message !== null && 'topic' in message && message.topic === topic;
}

/** In the primary: a worker that cannot be reached is dying, and its successor is sent the same. */
export function sendToWorker<Topic extends keyof ToWorker>(
  worker: Worker,
  topic: Topic,
  payload: ToWorker[Topic],
): void {
  worker.send({ topic, payload } satisfies Message<ToWorker, Topic>, () => undefined);
}

/** In the primary. */
export function sendToAllWorkers<Topic extends keyof ToWorker>(topic: Topic, payload: ToWorker[Topic]): void {
  for (const worker of runningWorkers()) sendToWorker(worker, topic, payload);
}

/** In the primary. */
export function onWorkerMessage<Topic extends keyof ToPrimary>(
  topic: Topic,
  listener: (worker: Worker, payload: ToPrimary[Topic]) => void,
): void {
  cluster.on('message', (worker, message: unknown) => {
    if (isAbout<ToPrimary, Topic>(message, topic)) listener(worker, message.payload);
  });
}

/** In a worker; lost when the primary is gone. */
export function sendToPrimary<Topic extends keyof ToPrimary>(topic: Topic, payload: ToPrimary[Topic]): void {
  process.send?.({ topic, payload } satisfies Message<ToPrimary, Topic>, undefined, undefined, () => undefined);
}

/** In a worker. @returns the function that stops listening. */
export function onPrimaryMessage<Topic extends keyof ToWorker>(
  topic: Topic,
  listener: (payload: ToWorker[Topic]) => void,
): () => void {
  const receive = (message: unknown): void => {
    if (isAbout<ToWorker, Topic>(message, topic)) listener(message.payload);
  };
  process.on('message', receive);
  return () => process.off('message', receive);
}

/** In the primary: the workers that have been started and have not ended. */
export function runningWorkers(): Worker[] {
  return Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
}
