import { isAbstractType, isIntrospectionType, isObjectType, type GraphQLSchema } from 'graphql';

/**
 * Refuses at the start what would otherwise fail at its first request.
 *
 * @throws Error for a schema with interfaces, unions, or object types that are recognised by a function.
 */
export function assertCompilable(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap())) {
    const isSupported = !isAbstractType(type) && !(isObjectType(type) && type.isTypeOf);
    if (isSupported || isIntrospectionType(type)) continue;
    throw new Error(
      `the schema's type ${type.name} cannot be compiled: interfaces, unions and isTypeOf are not supported; ` +
        'graphql/compiled/completion.ts is the place to add them',
    );
  }
}
