import type { ApolloServerOptionsWithGateway } from '@apollo/server';
import { execute, type ExecutionResult, type GraphQLSchema } from 'graphql';
import type { GraphQLContext } from '../context.ts';
import { assertCompilable } from './assert-compilable.ts';
import { CompiledOperation } from './compiled-operation.ts';
import type { CompiledOperations } from './operations.ts';

type Gateway = ApolloServerOptionsWithGateway<GraphQLContext>['gateway'];
type Executor = NonNullable<Awaited<ReturnType<Gateway['load']>>['executor']>;
type ExecutorRequest = Parameters<Executor>[0];

/**
 * The hook by which Apollo lets others execute what it has parsed, validated and limited. It runs the compiled form and
 * keeps it, so that the first run of an operation and those of the hot path are runs of the same thing.
 *
 * @throws Error for a schema that cannot be compiled.
 */
export function createGateway(schema: GraphQLSchema, operations: CompiledOperations): Gateway {
  assertCompilable(schema);

  async function executor(request: ExecutorRequest): Promise<ExecutionResult> {
    const context = request.context as GraphQLContext;
    return context.result ?? (await runCompiled(request, context));
  }

  async function runCompiled({ document, source, request, ...rest }: ExecutorRequest, context: GraphQLContext) {
    const { operationName, variables = {} } = request;
    // No such operation; graphql-js knows how to say so. Apollo's type does not tell that it may be missing.
    if (!(rest.operation as unknown)) return execute({ schema, document, operationName });
    const operation = operations.find(source, operationName) ?? new CompiledOperation(schema, document, operationName);
    const { coerced, errors } = operation.coerce(variables);
    if (!coerced) return { errors };
    const result = await operation.execute(coerced, context);
    operations.keep(source, operationName, operation);
    return result;
  }

  return {
    onSchemaLoadOrUpdate(callback) {
      callback({ apiSchema: schema, coreSupergraphSdl: '' });
      return () => undefined;
    },
    load: () => Promise.resolve({ executor }),
    stop: () => Promise.resolve(),
  };
}
