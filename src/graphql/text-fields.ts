import {
  getNamedType,
  isObjectType,
  Kind,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  type SelectionSetNode,
} from 'graphql';

/**
 * The extension of a field whose value is the text of a message, or is made from it. Texts are read from the store only
 * for operations that select such a field, and the values of these fields count against the limit of a response.
 */
export interface TextExtensions {
  readonly isText: true;
}

export function isTextField({ extensions }: { readonly extensions: object }): boolean {
  return 'isText' in extensions && extensions.isText === true;
}

/** Whether a field that is made from texts is selected anywhere below the field that is being resolved. */
export function selectsText({ fieldNodes, fragments, returnType, schema }: GraphQLResolveInfo): boolean {
  function isSelectedIn(set: SelectionSetNode | undefined, outputType: GraphQLOutputType): boolean {
    const type = getNamedType(outputType);
    if (!set || !isObjectType(type)) return false;
    return set.selections.some((selection) => {
      if (selection.kind === Kind.FIELD) {
        const field = type.getFields()[selection.name.value];
        return field !== undefined && (isTextField(field) || isSelectedIn(selection.selectionSet, field.type));
      }
      const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? fragments[selection.name.value] : selection;
      const condition = fragment?.typeCondition && schema.getType(fragment.typeCondition.name.value);
      return isSelectedIn(fragment?.selectionSet, isObjectType(condition) ? condition : type);
    });
  }
  return fieldNodes.some(({ selectionSet }) => isSelectedIn(selectionSet, returnType));
}
