import type { CompiledOperations } from './compiled/operations.ts';
import type { GraphQLContext } from './context.ts';
import { exceeds, MAX_COST } from './operation-limits.ts';

/** The answer of an operation, or undefined where Apollo has to give it. */
export type HotPath = (body: unknown, context: GraphQLContext) => Promise<string | undefined>;

/**
 * Runs an operation that Apollo has accepted before, without the steps that were paid then. Whatever is not plainly the
 * same again, and every answer with an error or of a size to look at, is left to Apollo; it then finds the result in
 * the context and runs nothing again.
 */
export function createHotPath(operations: CompiledOperations, answerLimit: number): HotPath {
  return async function hotPath(body, context) {
    const request = parseRequest(body);
    const operation = request && operations.find(request.query, request.operationName ?? undefined);
    if (!operation) return undefined;
    const { coerced } = operation.coerce(request.variables ?? {});
    if (!coerced || operation.costOf(coerced) > MAX_COST) return undefined;
    context.request.operation = operation.kind;
    const result = await operation.execute(coerced, context);
    if (!result.errors && !exceeds(answerLimit, context)) return `${JSON.stringify({ data: result.data })}\n`;
    context.result = result;
    return undefined;
  };
}

/** The parameters of a request (GraphQL over HTTP, "Request Parameters"). */
interface OperationRequest {
  readonly query: string;
  readonly operationName?: string | null;
  readonly variables?: Readonly<Record<string, unknown>> | null;
}

/** @returns undefined for what Apollo would refuse, or look at more closely: `extensions` may name another query. */
function parseRequest(body: unknown): OperationRequest | undefined {
  if (!isRecord(body)) return undefined;
  const { query, operationName, variables, extensions } = body;
  const isPlain =
    typeof query === 'string' &&
    (isMissing(operationName) || typeof operationName === 'string') &&
    (isMissing(variables) || isRecord(variables)) &&
    (isMissing(extensions) || (isRecord(extensions) && !('persistedQuery' in extensions)));
  return isPlain ? (body as unknown as OperationRequest) : undefined;
}

function isMissing(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
