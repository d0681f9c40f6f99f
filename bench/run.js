// Measures Hashpost against other servers at the same work: npm run bench -- --help
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { measureAging } from './aging.js';
import { measureSlowSync, measureWork } from './measure.js';
import { busyCores, createTemporaryFolder, has, pinning } from './processes.js';
import { renderReport } from './report.js';
import { prepareDatabase } from './seed.js';
import { contenderNames } from './servers.js';
import { MIN_ROWS, works } from './works.js';

const SLOW_SYNC = 'slow-sync';
const AGING = 'aging';
const workNames = [...Object.keys(works), AGING, SLOW_SYNC];

const HELP = `Usage: npm run bench -- [options]

  --only NAMES       contenders, separated by commas: ${contenderNames.join(', ')}
  --work NAMES       works, separated by commas: ${workNames.join(', ')}
  --rounds N         rounds of each contender (3)
  --seconds N        measured in each round (4)
  --rows N           messages that are in the database before (1000), up to millions
  --database FILE    keeps the database there, and takes over the one that is there
  --slow-fsync MS    by how much ${SLOW_SYNC} slows every sync of the disk (5); it needs strace
  --idle SECONDS     for how long ${AGING} leaves the process alone (60)
  --limit MINUTES    ends the run as failed after this time (30)
  --markdown FILE    writes the report there too
  --help
`;

const values = readOptions();
if (values.help) process.stdout.write(HELP);
else await run().catch((error) => fail(error.message));

function readOptions() {
  const options = {
    only: { type: 'string', default: contenderNames.join() },
    work: { type: 'string', default: workNames.join() },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    rows: { type: 'string', default: '1000' },
    database: { type: 'string' },
    'slow-fsync': { type: 'string', default: '5' },
    idle: { type: 'string', default: '60' },
    limit: { type: 'string', default: '30' },
    markdown: { type: 'string' },
    help: { type: 'boolean' },
  };
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return fail(error.message);
  }
}

async function run() {
  const only = parseNames('only', contenderNames);
  const chosen = parseNames('work', workNames);
  const limit = parseNumber('limit', 1);
  setTimeout(() => fail(`not done after ${limit} minutes`), limit * 60_000).unref();

  const folder = createTemporaryFolder();
  const database = resolve(values.database ?? join(folder, 'messages.db'));
  const pins = pinning();
  const setting = {
    folder,
    database,
    pins,
    rows: parseNumber('rows', MIN_ROWS),
    rounds: parseNumber('rounds', 1),
    seconds: parseNumber('seconds', 1),
    progress: (step) => process.stderr.write(`${step}\n`),
  };
  const busyBefore = await busyCores();
  await prepareDatabase({ folder, database, under: [] }, setting.rows);

  const results = new Map();
  for (const work of chosen.filter((name) => name in works)) {
    const names = works[work].contenders.filter((name) => only.includes(name));
    if (names.length > 0) results.set(work, await measureWork(work, names, setting));
  }
  const isAging = chosen.includes(AGING) && only.includes('hashpost');
  const aging = isAging ? await measureAging(parseNumber('idle', 1), setting) : new Map();
  const report = renderReport(
    { results, aging, slowSync: await runSlowSync(only, chosen, setting) },
    {
      ...setting,
      cores: pins.cores,
      busyBefore,
    },
  );
  process.stdout.write(report);
  if (values.markdown !== undefined) writeFileSync(values.markdown, report);
}

async function runSlowSync(only, chosen, setting) {
  if (!chosen.includes(SLOW_SYNC) || !only.includes('hashpost')) return undefined;
  if (has('strace')) return measureSlowSync(parseNumber('slow-fsync', 1), setting);
  setting.progress(`${SLOW_SYNC} is left out: there is no strace`);
  return undefined;
}

function parseNames(option, known) {
  const names = values[option].split(',');
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) fail(`--${option} ${unknown} is none of ${known.join(', ')}`);
  return names;
}

function parseNumber(option, least) {
  const number = Number(values[option]);
  if (!Number.isInteger(number) || number < least) fail(`--${option} must be a whole number of at least ${least}`);
  return number;
}

function fail(why) {
  process.stderr.write(`bench: ${why}\n`);
  process.exit(1);
}
