import {
  getVariableValues,
  isLeafType,
  isNonNullType,
  typeFromAST,
  type GraphQLLeafType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type TypeNode,
  type VariableDefinitionNode,
} from 'graphql';

export type Variables = Readonly<Record<string, unknown>>;
export type Coercion = ReturnType<typeof getVariableValues>;

/** Of faults in one set of variables; the rest are not told. */
const MAX_ERRORS = 5;

/**
 * Makes the function that coerces an operation's variables as graphql-js does (GraphQL specification, 6.1.2). Values of
 * scalars and enums that are there and fit are coerced here; for all else, faults above all, it asks graphql-js.
 */
export function compileCoercion(
  schema: GraphQLSchema,
  { variableDefinitions = [] }: OperationDefinitionNode,
): (variables: Variables) => Coercion {
  const plain = variableDefinitions.map((definition) => plainVariable(schema, definition));
  const ask = (variables: Variables): Coercion =>
    getVariableValues(schema, variableDefinitions, variables, { maxErrors: MAX_ERRORS });
  if (!plain.every((variable) => variable !== undefined)) return ask;
  return function coerce(variables) {
    // Without a prototype, as those of graphql-js: `__proto__` is a legal name.
    const coerced = Object.create(null) as Record<string, unknown>;
    for (const { name, type } of plain) {
      const value = Object.hasOwn(variables, name) ? parseLeaf(type, variables[name]) : undefined;
      if (value === undefined) return ask(variables);
      coerced[name] = value;
    }
    return { coerced };
  };
}

interface PlainVariable {
  readonly name: string;
  readonly type: GraphQLLeafType;
}

function plainVariable(
  schema: GraphQLSchema,
  { variable, type: node }: VariableDefinitionNode,
): PlainVariable | undefined {
  const type = typeFromAST(schema, node as TypeNode & { kind: 'NamedType' });
  const nullable = isNonNullType(type) ? (type.ofType as unknown) : type;
  return isLeafType(nullable) ? { name: variable.name.value, type: nullable } : undefined;
}

/** @returns undefined for what is missing, null, or does not fit. */
function parseLeaf(type: GraphQLLeafType, value: unknown): unknown {
  if (value === undefined || value === null) return undefined;
  try {
    return type.parseValue(value);
  } catch {
    return undefined;
  }
}
