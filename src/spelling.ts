/** Shorter names are too close to too many others to guess. */
const MIN_LENGTH = 6;
const MAX_DISTANCE = 2;

/** Whether someone who typed `name` probably meant `known`: one or two letters are wrong, upper and lower case aside. */
export function isMisspelling(name: string, known: string): boolean {
  return (
    known.length >= MIN_LENGTH &&
    Math.abs(name.length - known.length) <= MAX_DISTANCE &&
    editDistance(name.toUpperCase(), known) <= MAX_DISTANCE
  );
}

/** Levenshtein's distance, row by row. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let index = 0; index < from.length; index++) {
    const next = [index + 1];
    for (let column = 1; column <= to.length; column++) {
      const replace = (row[column - 1] ?? 0) + (from[index] === to[column - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
