import type { ApolloServerPlugin } from '@apollo/server';
import {
  GraphQLError,
  Kind,
  type ASTVisitor,
  type FragmentDefinitionNode,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';
import {
  fieldExtensionsEstimator,
  getComplexity,
  simpleEstimator,
  type ComplexityEstimator,
} from 'graphql-query-complexity';
import { AppError } from '../errors.ts';
import type { GraphQLContext } from './context.ts';

/** Bounds the work of the parser; the introspection query of common clients has about 350. */
export const MAX_TOKENS = 1000;

/** The introspection query of common clients goes 13 deep, this schema's own operations 4. */
const MAX_DEPTH = 15;

/** Counted where fragments are spread, not where they stand. */
const MAX_ALIASES = 30;
const MAX_FIELDS = 500;

/** One page costs this much plus one for each field of each item: a full page of everything fits, many do not. */
const PAGE_COMPLEXITY = 5000;
const MAX_COMPLEXITY = 30_000;

/** Characters of text in one answer; aliases can multiply what was read. */
const MAX_RESPONSE_TEXT = 64 * 1024 * 1024;

/** Below this many bytes read, no permitted number of aliases reaches the limit. */
const UNCHECKED_BYTES = MAX_RESPONSE_TEXT / (2 * MAX_ALIASES);

interface Measure {
  readonly depth: number;
  readonly aliases: number;
  readonly fields: number;
}

/** A validation rule: what can be seen in the document alone. Each fragment is measured once, however often spread. */
export function limitDocument(context: ValidationContext): ASTVisitor {
  const measureSelections = createMeasure(context);
  return {
    OperationDefinition(node) {
      const { depth, aliases, fields } = measureSelections(node.selectionSet);
      const reason =
        depth > MAX_DEPTH
          ? `nests deeper than ${MAX_DEPTH} levels`
          : aliases > MAX_ALIASES
            ? `has more than ${MAX_ALIASES} aliases`
            : fields > MAX_FIELDS
              ? `selects more than ${MAX_FIELDS} fields`
              : undefined;
      if (reason === undefined) return;
      const error = tooComplex(`The operation ${reason}.`);
      context.reportError(new GraphQLError(error.message, { nodes: node, originalError: error }));
    },
  };
}

function createMeasure(context: ValidationContext): (set: SelectionSetNode) => Measure {
  const nothing: Measure = { depth: 0, aliases: 0, fields: 0 };
  const known = new Map<FragmentDefinitionNode, Measure>();

  function measureFragment(name: string): Measure {
    const fragment = context.getFragment(name);
    if (!fragment) return nothing;
    const measured = known.get(fragment);
    if (measured) return measured;
    // Ends the walk of a fragment that spreads itself, which another rule refuses.
    known.set(fragment, nothing);
    const measure = measureSelections(fragment.selectionSet);
    known.set(fragment, measure);
    return measure;
  }

  function measureSelections(set: SelectionSetNode): Measure {
    return set.selections.map(measureSelection).reduce(
      (sum, one) => ({
        depth: Math.max(sum.depth, one.depth),
        aliases: sum.aliases + one.aliases,
        fields: sum.fields + one.fields,
      }),
      nothing,
    );
  }

  function measureSelection(selection: SelectionSetNode['selections'][number]): Measure {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return measureFragment(selection.name.value);
    if (selection.kind === Kind.INLINE_FRAGMENT) return measureSelections(selection.selectionSet);
    const { depth, aliases, fields } = selection.selectionSet ? measureSelections(selection.selectionSet) : nothing;
    return { depth: depth + 1, aliases: aliases + (selection.alias ? 1 : 0), fields: fields + 1 };
  }

  return measureSelections;
}

/** For a field that answers a page: its size, as far as the service will allow it, times what is asked of each item. */
export function pageComplexity(maxPageSize: number): ComplexityEstimator {
  return function pageComplexity({ args, childComplexity }) {
    const size = Number(args['first'] ?? args['last'] ?? 100);
    return PAGE_COMPLEXITY + Math.min(Math.max(size, 1), maxPageSize) * childComplexity;
  };
}

const estimators = [fieldExtensionsEstimator(), simpleEstimator({ defaultComplexity: 1 })];

/** What depends on variables, and on what was found. */
export const limitOperation: ApolloServerPlugin<GraphQLContext> = {
  requestDidStart: () =>
    Promise.resolve({
      didResolveOperation({ schema, document, operation, request: { operationName, variables } }) {
        if (!operation) return Promise.resolve();
        let complexity;
        try {
          complexity = getComplexity({
            schema,
            query: document,
            estimators,
            ...(operationName !== undefined && { operationName }),
            ...(variables !== undefined && { variables }),
          });
        } catch {
          // The variables do not fit the operation; execution says so in its own words.
          return Promise.resolve();
        }
        if (complexity > MAX_COMPLEXITY) {
          return Promise.reject(toRequestError(tooComplex('The operation asks for too many items in one answer.')));
        }
        return Promise.resolve();
      },
      willSendResponse({ contextValue, response: { body } }) {
        if (contextValue.bytesRead <= UNCHECKED_BYTES || body.kind !== 'single') return Promise.resolve();
        if (textLengthOf(body.singleResult.data) > MAX_RESPONSE_TEXT) {
          const error = tooComplex('The answer would be too large; ask for fewer items at a time.');
          body.singleResult = { errors: [{ message: error.message, extensions: { code: error.code } }] };
        }
        return Promise.resolve();
      },
    }),
};

function tooComplex(sentence: string): AppError {
  return new AppError('QUERY_TOO_COMPLEX', sentence);
}

/** Apollo answers 500 to an error thrown before execution unless it names a status. */
function toRequestError(error: AppError): GraphQLError {
  return new GraphQLError(error.message, { originalError: error, extensions: { http: { status: 400 } } });
}

function textLengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  let length = 0;
  for (const part of Object.values(value)) length += textLengthOf(part);
  return length;
}
