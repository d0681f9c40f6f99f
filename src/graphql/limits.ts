import type { ApolloServerPlugin } from '@apollo/server';
import {
  getArgumentValues,
  getVariableValues,
  GraphQLError,
  Kind,
  type ASTVisitor,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';
import { AppError } from '../errors.ts';
import type { GraphQLContext } from './context.ts';
import { createMeasure, type FindFragment } from './measure.ts';

/** Bounds the work of the parser; the introspection query of common clients has about 350. */
export const MAX_TOKENS = 1000;

/** The introspection query of common clients goes 13 deep, this schema's own operations 4. */
const MAX_DEPTH = 15;
const MAX_ALIASES = 30;
const MAX_FIELDS = 500;

/** A page costs this and its size times its fields: one page of 1000 with everything fits, and three short ones. */
const PAGE_COST = 10_000;
const MAX_COST = 35_000;

/** Characters in one answer, unless a message alone may have more; aliases can multiply what was read. */
const MAX_ANSWER_LENGTH = 16 * 1024 * 1024;

/** The extension that marks a root field as a page; it has the arguments `first` and `last`. */
export interface PageExtensions {
  readonly page: { readonly defaultSize: number; readonly maxSize: number };
}

/** A validation rule: what can be seen in the document alone. */
export function limitDocument(context: ValidationContext): ASTVisitor {
  const measure = createMeasure((name) => context.getFragment(name));
  return {
    OperationDefinition(node) {
      if (!context.getSchema().getRootType(node.operation)) {
        context.reportError(new GraphQLError(`The schema has no ${node.operation}.`, { nodes: node }));
      }
      const { depth, aliases, fields } = measure(node.selectionSet);
      const excess = [
        depth > MAX_DEPTH && `nests deeper than ${MAX_DEPTH} levels`,
        aliases > MAX_ALIASES && `has more than ${MAX_ALIASES} aliases`,
        fields > MAX_FIELDS && `selects more than ${MAX_FIELDS} fields`,
      ].find((reason) => reason !== false);
      if (excess === undefined) return;
      const error = new AppError('QUERY_TOO_COMPLEX', `The operation ${excess}.`);
      context.reportError(new GraphQLError(error.message, { nodes: node, originalError: error }));
    },
  };
}

/** What depends on variables, and on what was found. */
export function limitOperation(maxMessageBytes: number): ApolloServerPlugin<GraphQLContext> {
  const maxAnswerLength = Math.max(MAX_ANSWER_LENGTH, 2 * maxMessageBytes);
  // With fewer bytes read, no permitted number of aliases reaches that.
  const uncheckedBytes = maxAnswerLength / (2 * MAX_ALIASES);
  return {
    requestDidStart: () =>
      Promise.resolve({
        didResolveOperation({ schema, document, operation, request: { variables } }) {
          if (operation && costOf(schema, document, operation, variables ?? {}) > MAX_COST) {
            const error = new AppError('QUERY_TOO_COMPLEX', 'The operation asks for too many items in one answer.');
            // Apollo answers 500 to what is thrown before execution, unless it names a status.
            return Promise.reject(
              new GraphQLError(error.message, { originalError: error, extensions: { http: { status: 400 } } }),
            );
          }
          return Promise.resolve();
        },
        willSendResponse({ contextValue, response: { body } }) {
          if (contextValue.bytesRead <= uncheckedBytes || body.kind !== 'single') return Promise.resolve();
          if (textLengthOf(body.singleResult.data) > maxAnswerLength) {
            const error = new AppError(
              'QUERY_TOO_COMPLEX',
              'The answer would be too large; ask for fewer items at a time.',
            );
            body.singleResult = { errors: [{ message: error.message, extensions: { code: error.code } }] };
          }
          return Promise.resolve();
        },
      }),
  };
}

function costOf(
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

function textLengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  let length = 0;
  for (const part of Object.values(value)) length += textLengthOf(part);
  return length;
}
