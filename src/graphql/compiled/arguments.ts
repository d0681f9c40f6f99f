import { getArgumentValues, Kind, visit, type FieldNode, type GraphQLField } from 'graphql';
import type { Variables } from './variables.ts';

type Arguments = Record<string, unknown>;

/**
 * Makes the function that reads a field's arguments as graphql-js does (GraphQL specification, 6.4.1). Without variables
 * they are the same in every run. Where all are variables that have a value, that is taken; all else, faults above all,
 * is left to graphql-js.
 */
export function compileArguments(
  definition: GraphQLField<unknown, unknown>,
  node: FieldNode,
): (variables: Variables) => Arguments {
  const ask = (variables: Variables): Arguments => getArgumentValues(definition, node, variables);
  if (!usesVariables(node)) return constantArguments(ask) ?? ask;
  const names = variableArguments(definition, node);
  if (!names) return ask;
  return function readArguments(variables) {
    const args = Object.create(null) as Arguments;
    for (const { name, variable } of names) {
      const value = Object.hasOwn(variables, variable) ? variables[variable] : undefined;
      if (value === undefined || value === null) return ask(variables);
      args[name] = value;
    }
    return args;
  };
}

/** @returns undefined where they do not fit: every run finds that again, and reports it at its own place. */
function constantArguments(ask: (variables: Variables) => Arguments): (() => Arguments) | undefined {
  try {
    const args = Object.freeze(ask({}));
    return () => args;
  } catch {
    return undefined;
  }
}

/** @returns undefined unless each argument that may have a value is given as a variable. */
function variableArguments(
  { args }: GraphQLField<unknown, unknown>,
  { arguments: given = [] }: FieldNode,
): { name: string; variable: string }[] | undefined {
  const names = given.flatMap(({ name, value }) =>
    value.kind === Kind.VARIABLE ? [{ name: name.value, variable: value.name.value }] : [],
  );
  const isGiven = new Set(names.map(({ name }) => name));
  const hasOther = args.some(({ name, defaultValue }) => !isGiven.has(name) && defaultValue !== undefined);
  return names.length === given.length && !hasOther ? names : undefined;
}

function usesVariables({ arguments: args = [] }: FieldNode): boolean {
  const names: string[] = [];
  for (const arg of args) visit(arg, { Variable: ({ name }) => void names.push(name.value) });
  return names.length > 0;
}
