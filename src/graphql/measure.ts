import { Kind, type FragmentDefinitionNode, type SelectionNode, type SelectionSetNode } from 'graphql';

/** What a selection comes to once its fragments are put in their places; @skip and @include are taken as selected. */
export interface Measure {
  readonly depth: number;
  readonly aliases: number;
  readonly fields: number;
}

export type FindFragment = (name: string) => FragmentDefinitionNode | null | undefined;

const nothing: Measure = { depth: 0, aliases: 0, fields: 0 };

/** Makes the function that measures selections of one document. A fragment is walked once, however often spread. */
export function createMeasure(findFragment: FindFragment): (set: SelectionSetNode | undefined) => Measure {
  const known = new Map<FragmentDefinitionNode, Measure>();

  function measureFragment(name: string): Measure {
    const fragment = findFragment(name);
    if (!fragment) return nothing;
    const measured = known.get(fragment);
    if (measured) return measured;
    // Ends the walk of a fragment that spreads itself, which a rule of the specification refuses.
    known.set(fragment, nothing);
    const measure = measureSet(fragment.selectionSet);
    known.set(fragment, measure);
    return measure;
  }

  function measureSelection(selection: SelectionNode): Measure {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return measureFragment(selection.name.value);
    if (selection.kind === Kind.INLINE_FRAGMENT) return measureSet(selection.selectionSet);
    const { depth, aliases, fields } = measureSet(selection.selectionSet);
    return { depth: depth + 1, aliases: aliases + (selection.alias ? 1 : 0), fields: fields + 1 };
  }

  function measureSet(set: SelectionSetNode | undefined): Measure {
    return (set?.selections ?? []).map(measureSelection).reduce(
      (sum, one) => ({
        depth: Math.max(sum.depth, one.depth),
        aliases: sum.aliases + one.aliases,
        fields: sum.fields + one.fields,
      }),
      nothing,
    );
  }

  return measureSet;
}
