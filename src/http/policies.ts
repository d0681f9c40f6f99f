import type { RequestContext } from './context.ts';
import { corsPolicy } from './cors.ts';
import { shedLoad, type ShedOptions } from './overload.ts';

/**
 * One rule that every request passes before its handler: it changes the context, or throws the error to respond with.
 * Only a policy that has to wait returns a promise.
 */
export type Policy = (context: RequestContext) => void | Promise<void>;

export interface PolicyOptions extends ShedOptions {
  readonly corsOrigins: readonly string[];
}

/** The policies for requests of all APIs, in their order. The route of a request is known before the first one. */
export function createPolicies({ corsOrigins, ...load }: PolicyOptions): readonly Policy[] {
  return [
    // First, so that a page may read every response, refusals included.
    corsPolicy(corsOrigins),
    // Before everything that costs more than a refusal.
    shedLoad(load),
  ];
}
