import {
  getOperationAST,
  Kind,
  OperationTypeNode,
  visit,
  type DocumentNode,
  type ExecutionResult,
  type FragmentDefinitionNode,
  type GraphQLError,
  type GraphQLObjectType,
  type GraphQLSchema,
  type OperationDefinitionNode,
} from 'graphql';
import { createMeasure } from '../measure.ts';
import { createCost } from '../operation-cost.ts';
import { FieldErrors, isPromise, type Run, type TextCounter } from './completion.ts';
import type { Fragments } from './fields.ts';
import { compileFields, resolveFields, resolveFieldsSerially, type CompiledField, type Data } from './selection.ts';
import { compileCoercion, type Coercion, type Variables } from './variables.ts';

/** Bounds the memory of an operation that is run with ever other values of the variables in its directives. */
const MAX_VARIANTS = 4;

/** About what a unit of text costs as a syntax tree, and a field as a compiled one. */
const BYTES_PER_UNIT = 100;
const BYTES_PER_FIELD = 800;

/**
 * One operation of a valid document, with everything worked out that its text alone decides: which fields, which
 * resolvers, which completion, in which order. A run does what graphql-js does, with the same answer and errors.
 *
 * `@skip` and `@include` may take fields away, so the operation is compiled once for each set of their values.
 */
export class CompiledOperation {
  readonly #schema: GraphQLSchema;
  readonly #operation: OperationDefinitionNode;
  readonly #root: GraphQLObjectType;
  readonly #fragments: Fragments;
  readonly #conditions: readonly string[];
  readonly #variants = new Map<string, readonly CompiledField[]>();

  readonly kind: OperationTypeNode;

  /** About how much memory it may come to take. */
  readonly bytes: number;

  /** Of variables as the client sent them. */
  readonly coerce: (variables: Variables) => Coercion;

  /** What a run with these coerced variables costs, in the measure of operation-cost.ts. */
  readonly costOf: (variables: Variables) => number;

  /** @throws Error for an operation that the document or the schema does not have, and for a subscription. */
  constructor(schema: GraphQLSchema, document: DocumentNode, operationName: string | undefined) {
    const operation = getOperationAST(document, operationName);
    const root = operation && schema.getRootType(operation.operation);
    if (!root) throw new Error('the document has no such operation for this schema');
    // Its root field would be resolved once, as if it were a query.
    if (operation.operation === OperationTypeNode.SUBSCRIPTION) throw new Error('a subscription is a stream');
    this.#schema = schema;
    this.#operation = operation;
    this.kind = operation.operation;
    this.#root = root;
    this.#fragments = fragmentsOf(document);
    this.#conditions = conditionsOf(document);
    const { fields } = createMeasure((name) => this.#fragments[name])(operation.selectionSet);
    const variants = this.#conditions.length === 0 ? 1 : MAX_VARIANTS;
    const length = document.loc?.end ?? 0;
    this.bytes = length * BYTES_PER_UNIT + fields * variants * BYTES_PER_FIELD;
    this.coerce = compileCoercion(schema, operation);
    this.costOf = createCost(schema, document, operation);
  }

  /**
   * Runs the operation. The result is a promise only where a resolver returns one; it never rejects.
   *
   * @param variables coerced.
   */
  execute(variables: Variables, context: TextCounter): ExecutionResult<Data> | Promise<ExecutionResult<Data>> {
    const run: Run = { context, variables, errors: new FieldErrors() };
    try {
      const data = this.#resolveRoot(variables, run);
      if (!isPromise(data)) return toResult(data, run);
      return data.then(
        (settled) => toResult(settled, run),
        (error: unknown) => toFailure(error, run),
      );
    } catch (error) {
      return toFailure(error, run);
    }
  }

  #resolveRoot(variables: Variables, run: Run): Data | Promise<Data> {
    const fields = this.#fieldsFor(variables);
    const isSerial = this.kind === OperationTypeNode.MUTATION;
    return isSerial ? resolveFieldsSerially(fields, run) : resolveFields(fields, undefined, undefined, run);
  }

  #fieldsFor(variables: Variables): readonly CompiledField[] {
    const variant = this.#conditions.length === 0 ? '' : this.#conditions.map((name) => String(variables[name])).join();
    const known = this.#variants.get(variant);
    if (known) return known;
    const scope = {
      schema: this.#schema,
      operation: this.#operation,
      fragments: this.#fragments,
      variables,
    };
    const fields = compileFields(scope, this.#root, [this.#operation.selectionSet]);
    if (this.#variants.size === MAX_VARIANTS) this.#variants.clear();
    this.#variants.set(variant, fields);
    return fields;
  }
}

function toResult(data: Data | null, { errors: { list: errors } }: Run): ExecutionResult<Data> {
  return errors ? { errors, data } : { data };
}

function toFailure(error: unknown, run: Run): ExecutionResult<Data> {
  run.errors.add(error as GraphQLError, undefined);
  return toResult(null, run);
}

function fragmentsOf({ definitions }: DocumentNode): Fragments {
  const fragments = definitions.filter(
    (node): node is FragmentDefinitionNode => node.kind === Kind.FRAGMENT_DEFINITION,
  );
  return Object.fromEntries(fragments.map((fragment) => [fragment.name.value, fragment]));
}

/** The names of the variables that @skip and @include depend on. */
function conditionsOf(document: DocumentNode): readonly string[] {
  const names = new Set<string>();
  visit(document, {
    Directive: (directive) => {
      visit(directive, { Variable: ({ name }) => void names.add(name.value) });
      return false;
    },
  });
  return [...names];
}
