import { GraphQLError, OperationTypeNode, type ASTVisitor, type ValidationContext } from 'graphql';
import { AppError } from '../errors.ts';
import { createMeasure } from './measure.ts';

/** Bounds the work of the parser; the introspection query of common clients has about 350. */
export const MAX_TOKENS = 1000;

/** The introspection query of common clients goes 13 deep, this schema's own operations 4. */
const MAX_DEPTH = 15;
const MAX_ALIASES = 30;
const MAX_FIELDS = 500;

/** A validation rule: what can be seen in the document alone. */
export function limitDocument(context: ValidationContext): ASTVisitor {
  const measure = createMeasure((name) => context.getFragment(name));
  return {
    OperationDefinition(node) {
      // Neither Apollo nor graphql-js would refuse a subscription: both would run it once, as a query.
      const isServed = node.operation !== OperationTypeNode.SUBSCRIPTION;
      if (!isServed) {
        context.reportError(new GraphQLError('Subscriptions are not served here.', { nodes: node }));
      } else if (!context.getSchema().getRootType(node.operation)) {
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
