import { allowOnly, type Routes } from './routes.ts';
import { sendJson } from './send.ts';

/**
 * `/health`: the process answers; nothing else is asked, so that a store in trouble does not get it restarted.
 * `/health/ready`: the store answers too, so requests may be sent here.
 */
export function healthRoutes(assertReady: () => Promise<void>): Routes {
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
        await assertReady();
        sendJson(res, 200, { status: 'ready' });
      })
      .all(allowOnly('GET'));
  };
}
