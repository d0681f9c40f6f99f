// Compares schema/schema.graphql with a commit's and exits 1 when a client of that commit could break.
//   node scripts/breaking-changes.js [COMMIT]
// Without COMMIT: the last commit while the file is changed, else the one before.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { buildSchema, findBreakingChanges, findDangerousChanges } from 'graphql';

const FILE = 'schema/schema.graphql';

const current = readFileSync(FILE, 'utf8');
const commit = process.argv[2] ?? (fileAt('HEAD') === current ? 'HEAD~1' : 'HEAD');
const previous = fileAt(commit);
if (previous === undefined) {
  console.log(`${commit} has no ${FILE}: nothing to compare with`);
} else {
  report(buildSchema(previous), buildSchema(current));
}

function report(before, after) {
  for (const { description } of findDangerousChanges(before, after)) console.log(`dangerous: ${description}`);
  const breaking = findBreakingChanges(before, after);
  for (const { description } of breaking) console.error(`breaking: ${description}`);
  console.log(`${breaking.length} breaking changes since ${commit}`);
  if (breaking.length > 0) process.exitCode = 1;
}

/** The schema as that commit has it, or undefined where there is no such commit or file. */
function fileAt(revision) {
  try {
    return execFileSync('git', ['show', `${revision}:${FILE}`], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return undefined;
  }
}
