import { restErrorFormat } from './respond-error.ts';
import type { Api } from './route.ts';

/** The groups of routes whose errors are those of REST. */
export const restApi: Api = { name: 'rest', errorFormat: restErrorFormat };
export const healthApi: Api = { name: 'health', errorFormat: restErrorFormat };
export const pageApi: Api = { name: 'page', errorFormat: restErrorFormat };
