import { AppError } from '../errors.ts';
import { allowOnly, type Routes } from './routes.ts';
import { sendJson } from './send.ts';

export interface HealthOptions {
  readonly isStopping: () => boolean;
  /** Rejects with what keeps the store from answering. */
  readonly pingStore: () => Promise<void>;
}

/**
 * `/health`: the process answers; nothing else is asked, so that a store in trouble does not get it restarted.
 * `/health/ready`: the store answers too and the service is not stopping, so requests may be sent here.
 */
export function healthRoutes({ isStopping, pingStore }: HealthOptions): Routes {
  return (router) => {
    router
      .route('/health')
      .get((_req, res) => {
        sendJson(res, 200, { status: 'ok' });
      })
      .all(allowOnly('GET'));
    router
      .route('/health/ready')
      .get(async (_req, res) => {
        if (isStopping()) throw new AppError('NOT_READY');
        await pingStore();
        sendJson(res, 200, { status: 'ready' });
      })
      .all(allowOnly('GET'));
  };
}
