import type { GraphQLSchema } from 'graphql';
import { buildSchemaSync, type ClassType, type NonEmptyArray } from 'type-graphql';

/** The executable schema of some resolver objects. Rules live in the service, so TypeGraphQL validates nothing itself. */
export function createSchema(resolvers: readonly [object, ...object[]]): GraphQLSchema {
  return buildSchemaSync({
    resolvers: resolvers.map(({ constructor }) => constructor) as unknown as NonEmptyArray<ClassType>,
    container: { get: (resolverClass) => resolvers.find((resolver) => resolver.constructor === resolverClass) },
    validate: false,
  });
}
