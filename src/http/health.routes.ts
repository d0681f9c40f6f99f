import { AppError } from '../errors.ts';
import { healthApi } from './api.ts';
import { sendJson } from './respond.ts';
import type { Route } from './route.ts';

export interface HealthOptions {
  readonly isStopping: () => boolean;
  /** Rejects with the reason for which the store does not answer. */
  readonly pingStore: () => Promise<void>;
}

/**
 * `/health`: the process answers. It asks nothing else, so that a store in trouble does not get the process restarted.
 * `/health/ready`: the store answers too and the service is not stopping, so requests may be sent here.
 */
export function healthRoutes({ isStopping, pingStore }: HealthOptions): readonly Route[] {
  const probe = { api: healthApi, isProbe: true, isPublic: true } as const;
  return [
    {
      path: '/health',
      ...probe,
      handlers: {
        GET(context) {
          sendJson(context, { status: 'ok' }, { status: 200 });
        },
      },
    },
    {
      path: '/health/ready',
      ...probe,
      handlers: {
        async GET(context) {
          if (isStopping()) throw new AppError('NOT_READY');
          await pingStore();
          sendJson(context, { status: 'ready' }, { status: 200 });
        },
      },
    },
  ];
}
