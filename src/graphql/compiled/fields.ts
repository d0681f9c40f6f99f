import {
  getDirectiveValues,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  isAbstractType,
  Kind,
  SchemaMetaFieldDef,
  TypeMetaFieldDef,
  TypeNameMetaFieldDef,
  typeFromAST,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  type InlineFragmentNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';

/** The nodes that one field of an answer has in its document: several where selections are merged. */
export type FieldNodes = readonly [FieldNode, ...FieldNode[]];

export type Fragments = Readonly<Record<string, FragmentDefinitionNode>>;

/** What decides which fields of a document an object answers with. */
export interface Selector {
  readonly schema: GraphQLSchema;
  readonly fragments: Fragments;
  /** Coerced; only those in @skip and @include matter. */
  readonly variables: Readonly<Record<string, unknown>>;
}

/**
 * The fields selected on an object, by response key, in the order of the answer (GraphQL specification, 6.3.2
 * CollectFields).
 *
 * @throws GraphQLError for a variable of @skip or @include that is null.
 */
export function collectFields(
  selector: Selector,
  type: GraphQLObjectType,
  sets: readonly SelectionSetNode[],
): ReadonlyMap<string, FieldNodes> {
  const { schema, fragments, variables } = selector;
  const fields = new Map<string, [FieldNode, ...FieldNode[]]>();
  const visited = new Set<string>();

  function applies({ typeCondition }: FragmentDefinitionNode | InlineFragmentNode): boolean {
    const condition = typeCondition && typeFromAST(schema, typeCondition);
    return (
      condition === undefined || condition === type || (isAbstractType(condition) && schema.isSubType(condition, type))
    );
  }

  function collect({ selections }: SelectionSetNode): void {
    for (const selection of selections) {
      if (selection.kind === Kind.FRAGMENT_SPREAD && visited.has(selection.name.value)) continue;
      if (!isIncluded(selection, variables)) continue;
      if (selection.kind === Kind.FIELD) {
        const key = responseKeyOf(selection);
        const known = fields.get(key);
        if (known) known.push(selection);
        else fields.set(key, [selection]);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        if (applies(selection)) collect(selection.selectionSet);
      } else {
        visited.add(selection.name.value);
        const fragment = fragments[selection.name.value];
        if (fragment && applies(fragment)) collect(fragment.selectionSet);
      }
    }
  }

  for (const set of sets) collect(set);
  return fields;
}

/** The definition of a field, those of introspection included. */
export function findField(
  schema: GraphQLSchema,
  parent: GraphQLObjectType,
  name: string,
): GraphQLField<unknown, unknown> | undefined {
  if (name === TypeNameMetaFieldDef.name) return TypeNameMetaFieldDef;
  if (parent === schema.getQueryType()) {
    if (name === SchemaMetaFieldDef.name) return SchemaMetaFieldDef;
    if (name === TypeMetaFieldDef.name) return TypeMetaFieldDef;
  }
  return parent.getFields()[name];
}

function responseKeyOf({ alias, name }: FieldNode): string {
  return (alias ?? name).value;
}

function isIncluded(node: SelectionNode, variables: Readonly<Record<string, unknown>>): boolean {
  if (node.directives === undefined || node.directives.length === 0) return true;
  if (getDirectiveValues(GraphQLSkipDirective, node, variables)?.['if'] === true) return false;
  return getDirectiveValues(GraphQLIncludeDirective, node, variables)?.['if'] !== false;
}
