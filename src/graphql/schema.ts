import type { GraphQLSchema } from 'graphql';
import { buildSchemaSync } from 'type-graphql';
import { MessageResolver } from '../messages/message.resolver.ts';
import type { MessageService } from '../messages/message.service.ts';

/** The executable schema. Rules live in the service, so TypeGraphQL validates nothing of its own. */
export function createSchema(service: MessageService): GraphQLSchema {
  const resolver = new MessageResolver(service);
  return buildSchemaSync({
    resolvers: [MessageResolver],
    container: { get: () => resolver },
    validate: false,
  });
}
