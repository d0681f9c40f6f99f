import cors from 'cors';
import type { Policy } from './policies.ts';

/** Collects the headers that the cors package sets, so that they are written with all others. */
class CollectedHeaders {
  readonly #values = new Map<string, string>();

  getHeader(name: string): string | undefined {
    return this.#values.get(name);
  }

  setHeader(name: string, value: string): void {
    this.#values.set(name, value);
  }

  /** The package calls it only where it is to answer OPTIONS itself. */
  end(): void {
    throw new Error('the cors package is not to end a response');
  }

  takeVary(): string | undefined {
    const vary = this.#values.get('Vary');
    this.#values.delete('Vary');
    return vary;
  }

  get flat(): string[] {
    return [...this.#values].flat();
  }
}

/**
 * Lets pages of some origins read responses. Without an Origin header there is nothing to allow; the response says all
 * the same, by `Vary: Origin`, that it depends on it.
 *
 * @param origins as browsers send them in the Origin header.
 */
export function corsPolicy(origins: readonly string[]): Policy {
  const setHeaders = cors({
    origin: [...origins],
    methods: ['GET', 'HEAD', 'POST'],
    exposedHeaders: ['ETag', 'Link', 'Location', 'Retry-After', 'X-Request-Id'],
    maxAge: 86_400,
    // OPTIONS goes on to the route, which knows its methods.
    preflightContinue: true,
  });
  return function corsPolicy(context) {
    if (context.req.headers.origin === undefined) return;
    const headers = new CollectedHeaders();
    setHeaders(context.req, headers, () => undefined);
    context.vary = headers.takeVary() ?? context.vary;
    context.corsHeaders = headers.flat;
  };
}
