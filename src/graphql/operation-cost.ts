import {
  getArgumentValues,
  getVariableValues,
  Kind,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import { createMeasure, type FindFragment } from './measure.ts';

/** What a page costs apart from its items. */
const PAGE_COST = 10_000;

/** The extension that marks a root field as a page; it has the arguments `first` and `last`. */
export interface PageExtensions {
  readonly page: { readonly defaultSize: number; readonly maxSize: number };
}

/**
 * Fields that the answer may have, pages counted in full: each costs its size times the fields of an item, and a sum of
 * its own.
 *
 * @param variables as the client sent them.
 */
export function costOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Record<string, unknown>,
): number {
  const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
  const root = schema.getRootType(operation.operation);
  // Variables that do not fit are for execution to refuse, in its own words.
  if (!coerced || !root) return 0;
  const findFragment = fragmentFinder(document);
  const measure = createMeasure(findFragment);
  return rootFieldsOf(operation.selectionSet, findFragment).reduce((cost, node) => {
    const field = root.getFields()[node.name.value];
    const { fields } = measure(node.selectionSet);
    if (!field || !isPage(field.extensions)) return cost + fields;
    const { defaultSize, maxSize } = field.extensions.page;
    const args = getArgumentValues(field, node, coerced);
    const size = Number(args['first'] ?? args['last'] ?? defaultSize);
    return cost + PAGE_COST + Math.min(size, maxSize) * fields;
  }, 0);
}

function isPage(extensions: object): extensions is PageExtensions {
  return 'page' in extensions;
}

function fragmentFinder({ definitions }: DocumentNode): FindFragment {
  const fragments = definitions.filter(
    (node): node is FragmentDefinitionNode => node.kind === Kind.FRAGMENT_DEFINITION,
  );
  return (name) => fragments.find((fragment) => fragment.name.value === name);
}

function rootFieldsOf({ selections }: SelectionSetNode, findFragment: FindFragment): FieldNode[] {
  return selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return [selection];
    const set =
      selection.kind === Kind.INLINE_FRAGMENT
        ? selection.selectionSet
        : findFragment(selection.name.value)?.selectionSet;
    return set ? rootFieldsOf(set, findFragment) : [];
  });
}
