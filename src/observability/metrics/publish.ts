import type { Logger } from '../logger.ts';
import { EventLoopDelay } from './event-loop-delay.ts';
import { MetricsServer } from './metrics-server.ts';
import type { ProcessReport } from './metrics.ts';
import { processFamilies, workerFamilies } from './process-metrics.ts';
import { reportToPrimary, WorkerReports } from './worker-reports.ts';

/** Where metrics are served. */
export interface MetricsAddress {
  readonly port: number;
  readonly host: string;
  readonly logger: Logger;
}

export interface OwnMetrics extends MetricsAddress {
  readonly report: () => Promise<ProcessReport>;
  readonly isWorker: boolean;
}

/** Of a process that answers requests: a worker tells its primary, one that is alone serves them itself. */
export async function publishMetrics({ report, isWorker, ...address }: OwnMetrics): Promise<AsyncDisposable> {
  if (isWorker) return reportToPrimary(report);
  const alone = { families: workerFamilies(1, 0) };
  return MetricsServer.start({ ...address, collect: async () => [await report(), alone] });
}

export interface WorkersMetrics extends MetricsAddress {
  /** How many processes should answer requests. */
  readonly workers: number;
  readonly version: string;
}

/** Of a primary process: what its workers tell, and what it is itself. */
export function publishWorkersMetrics({ workers, version, ...address }: WorkersMetrics): Promise<AsyncDisposable> {
  const reports = new WorkerReports();
  const delay = new EventLoopDelay();
  return MetricsServer.start({
    ...address,
    async collect() {
      const own = [...processFamilies(delay, version), ...workerFamilies(workers, reports.deaths)];
      return [{ families: own }, ...(await reports.collect())];
    },
  });
}
