import {
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  locatedError,
  responsePathAsArray,
  type GraphQLError,
  type GraphQLLeafType,
  type GraphQLObjectType,
  type GraphQLOutputType,
} from 'graphql';
import type { FieldNodes } from './fields.ts';

/** Where in the answer a value stands; graphql-js has the same type, but does not export it. */
export interface Path {
  readonly prev: Path | undefined;
  readonly key: string | number;
  readonly typename: string | undefined;
}

/** The context of a run. The executor adds to it the UTF-16 units of text that the result has; see text-fields.ts. */
export interface TextCounter {
  textLength: number;
}

/** One run of an operation. */
export interface Run {
  readonly context: TextCounter;
  /** Coerced. */
  readonly variables: Record<string, unknown>;
  readonly errors: FieldErrors;
}

/**
 * The errors of a run, in the order of their happening. What fails below a place where another error has left null
 * already is not part of the answer any more, nor is its error (GraphQL specification, 6.4.4).
 */
export class FieldErrors {
  #list: GraphQLError[] | undefined;
  #nulled: Set<Path | undefined> | undefined;

  /** Undefined while there are none, as nearly always. */
  get list(): readonly GraphQLError[] | undefined {
    return this.#list;
  }

  /** @param place that is null now; undefined for the whole of the data. */
  add(error: GraphQLError, place: Path | undefined): void {
    this.#nulled ??= new Set();
    for (let path = place; path; path = path.prev) if (this.#nulled.has(path)) return;
    if (this.#nulled.has(undefined)) return;
    this.#nulled.add(place);
    (this.#list ??= []).push(error);
  }
}

/** Makes of what a resolver returned what the answer says; throws, or rejects with, what keeps it from that. */
export type Completer = (value: unknown, path: Path, run: Run) => unknown;

/** The field whose value is completed. */
interface CompletedField {
  readonly parent: GraphQLObjectType;
  readonly nodes: FieldNodes;
  readonly isText: boolean;
}

type CompileObject = (type: GraphQLObjectType, nodes: FieldNodes) => Completer;

/**
 * The completer of a type (GraphQL specification, 6.4.3 CompleteValue).
 *
 * @param compileObject makes the completers of object types; interfaces and unions are not supported.
 */
export function compileCompleter(
  type: GraphQLOutputType,
  field: CompletedField,
  compileObject: CompileObject,
): Completer {
  if (isNonNullType(type)) return nonNullCompleter(compileCompleter(type.ofType, field, compileObject), field);
  const complete = nullableCompleter(type, field, compileObject);
  return (value, path, run) => {
    if (value instanceof Error) throw value;
    return value === undefined || value === null ? null : complete(value, path, run);
  };
}

/** Resolves a value's error at its place: recorded where null may stand, thrown on where it may not. */
export function handleFieldError(
  thrown: unknown,
  { nodes, isNonNull }: { readonly nodes: FieldNodes; readonly isNonNull: boolean },
  path: Path,
  run: Run,
): null {
  const error = locatedError(thrown, nodes, responsePathAsArray(path));
  if (isNonNull) throw error;
  run.errors.add(error, path);
  return null;
}

export function isPromise<Value>(value: Value | Promise<Value>): value is Promise<Value> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** Makes the function that serializes a value of a leaf type. Here, and only here, the texts of a result are counted. */
export function compileLeaf(type: GraphQLLeafType, isText: boolean): (value: unknown, run: Run) => unknown {
  if (!isText) return (value) => type.serialize(value);
  return (value, { context }) => {
    const serialized: unknown = type.serialize(value);
    if (typeof serialized === 'string') context.textLength += serialized.length;
    return serialized;
  };
}

function nullableCompleter(type: GraphQLOutputType, field: CompletedField, compileObject: CompileObject): Completer {
  if (isLeafType(type)) return leafCompleter(type, field);
  if (isListType(type)) return listCompleter(type.ofType, field, compileObject);
  if (isObjectType(type) && !type.isTypeOf) return compileObject(type, field.nodes);
  throw new Error(`operations on the type ${String(type)} cannot be compiled`);
}

function nonNullCompleter(complete: Completer, { parent, nodes }: CompletedField): Completer {
  const name = `${parent.name}.${nodes[0].name.value}`;
  function assertNonNull(value: unknown): unknown {
    if (value === null) throw new Error(`Cannot return null for non-nullable field ${name}.`);
    return value;
  }
  return (value, path, run) => {
    const completed = complete(value, path, run);
    return isPromise(completed) ? completed.then(assertNonNull) : assertNonNull(completed);
  };
}

function leafCompleter(type: GraphQLLeafType, { isText }: CompletedField): Completer {
  const serialize = compileLeaf(type, isText);
  return (value, _path, run) => {
    const serialized = serialize(value, run);
    if (serialized === undefined || serialized === null) throw new Error(`${type.name} serialized a value to null`);
    return serialized;
  };
}

function listCompleter(itemType: GraphQLOutputType, field: CompletedField, compileObject: CompileObject): Completer {
  const complete = compileCompleter(itemType, field, compileObject);
  const item = { nodes: field.nodes, isNonNull: isNonNullType(itemType) };

  function completeItem(value: unknown, path: Path, run: Run): unknown {
    try {
      const completed = isPromise(value)
        ? value.then((settled) => complete(settled, path, run))
        : complete(value, path, run);
      return isPromise(completed)
        ? completed.then(undefined, (error: unknown) => handleFieldError(error, item, path, run))
        : completed;
    } catch (error) {
      return handleFieldError(error, item, path, run);
    }
  }

  return (value, path, run) => {
    if (typeof value !== 'object' || value === null || !(Symbol.iterator in value)) {
      const name = `${field.parent.name}.${field.nodes[0].name.value}`;
      throw new Error(`Expected Iterable, but did not find one for field "${name}".`);
    }
    const items: unknown[] = [];
    let isPending = false;
    try {
      for (const entry of value as Iterable<unknown>) {
        const completed = completeItem(entry, { prev: path, key: items.length, typename: undefined }, run);
        isPending ||= isPromise(completed);
        items.push(completed);
      }
    } catch (error) {
      // Those that still run must not reject with nobody there.
      if (isPending) Promise.all(items).catch(() => undefined);
      throw error;
    }
    return isPending ? Promise.all(items) : items;
  };
}
