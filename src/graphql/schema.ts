import type { GraphQLSchema } from 'graphql';
import { buildSchemaSync } from 'type-graphql';

/** The executable schema of one resolver object. Rules live in the service, so TypeGraphQL validates nothing itself. */
export function createSchema(resolver: object): GraphQLSchema {
  return buildSchemaSync({
    resolvers: [resolver.constructor],
    container: { get: () => resolver },
    validate: false,
  });
}
