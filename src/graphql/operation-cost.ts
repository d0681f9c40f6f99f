import {
  getArgumentValues,
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
 * Makes the function that tells how many fields the answer of an operation may have, pages counted in full: each costs
 * its size times the fields of an item, and a sum of its own.
 *
 * @returns the cost by coerced variables.
 */
export function createCost(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): (variables: Record<string, unknown>) => number {
  const root = schema.getRootType(operation.operation);
  const findFragment = fragmentFinder(document);
  const measure = createMeasure(findFragment);
  let fixedCost = 0;
  const pages: ((variables: Record<string, unknown>) => number)[] = [];
  for (const node of rootFieldsOf(operation.selectionSet, findFragment)) {
    const field = root?.getFields()[node.name.value];
    const { fields } = measure(node.selectionSet);
    if (!field || !isPage(field.extensions)) {
      fixedCost += fields;
      continue;
    }
    const { defaultSize, maxSize } = field.extensions.page;
    fixedCost += PAGE_COST;
    pages.push((variables) => {
      const args = getArgumentValues(field, node, variables);
      const size = Number(args['first'] ?? args['last'] ?? defaultSize);
      // A size out of range is refused when the page is resolved, but @skip may keep it from that.
      return Math.max(0, Math.min(size, maxSize)) * fields;
    });
  }
  return (variables) => pages.reduce((cost, costOf) => cost + costOf(variables), fixedCost);
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
