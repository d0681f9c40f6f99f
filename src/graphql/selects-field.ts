import { Kind, type GraphQLResolveInfo, type SelectionSetNode } from 'graphql';

/** Whether a field of this name is selected anywhere below the field that is being resolved. */
export function selectsField({ fieldNodes, fragments }: GraphQLResolveInfo, name: string): boolean {
  function isSelectedIn(set: SelectionSetNode | undefined): boolean {
    return (set?.selections ?? []).some((selection) => {
      if (selection.kind === Kind.FRAGMENT_SPREAD) return isSelectedIn(fragments[selection.name.value]?.selectionSet);
      const isIt = selection.kind === Kind.FIELD && selection.name.value === name;
      return isIt || isSelectedIn(selection.selectionSet);
    });
  }
  return fieldNodes.some(({ selectionSet }) => isSelectedIn(selectionSet));
}
