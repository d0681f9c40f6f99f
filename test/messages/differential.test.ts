import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { doors, type Door } from '../support/doors.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { startService, STORES } from '../support/service.ts';

/** DIFFERENTIAL_RUNS=100000 for a campaign. */
const RUNS = Number(process.env['DIFFERENTIAL_RUNS'] ?? 50);
const MAX_BYTES = 60;

afterEach(disposeLeftovers);

const shaOf = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');

/** What the service should be: a list of texts. */
class Model {
  readonly texts: string[] = [];

  add(text: unknown): unknown {
    if (typeof text !== 'string') return { code: 'BAD_USER_INPUT' };
    if (text.length > MAX_BYTES) return { code: 'BODY_TOO_LARGE' };
    if (!text.isWellFormed()) return { code: 'BAD_USER_INPUT' };
    if (Buffer.byteLength(text) > MAX_BYTES) return { code: 'BODY_TOO_LARGE' };
    if (!this.texts.includes(text)) this.texts.push(text);
    return { value: shaOf(text) };
  }

  page(limit = 100, after?: string): unknown {
    const start = after === undefined ? 0 : this.texts.findIndex((text) => shaOf(text) === after) + 1;
    if (limit < 1 || limit > 1000 || (after !== undefined && start === 0)) return { code: 'BAD_USER_INPUT' };
    const shas = this.texts.slice(start, start + limit).map(shaOf);
    return { value: { shas, hasNextPage: start + limit < this.texts.length } };
  }
}

type Doors = readonly [Door, Door];

/** One step: done through one door or both, and compared with the model. */
class Step implements fc.AsyncCommand<Model, Doors> {
  readonly #name: string;
  readonly #run: (model: Model, real: Doors) => Promise<void>;

  constructor(name: string, run: (model: Model, real: Doors) => Promise<void>) {
    this.#name = name;
    this.#run = run;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Doors): Promise<void> {
    return this.#run(model, real);
  }

  toString(): string {
    return this.#name;
  }
}

/** Any UTF-16 units, lone surrogates among them; few enough values that texts repeat. */
const anyText = fc.oneof(
  fc.constantFrom('', 'a', 'b', 'foo', '\u0000', '\ud800', '\udc00x', '\ufeff', 'x'.repeat(MAX_BYTES), 'é'.repeat(31)),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map((units) => String.fromCharCode(...units)),
);
const anyValue = fc.oneof({ weight: 9, arbitrary: anyText }, fc.constantFrom(null, 1, true, [], {}));
const anyDoor = fc.constantFrom(0, 1);

const commands = [
  fc.tuple(anyDoor, anyValue).map(
    ([door, text]) =>
      new Step(`add(${JSON.stringify(text)}) by ${door}`, async (model, real) => {
        expect(await real[door].add(text)).toEqual(model.add(text));
      }),
  ),
  fc.nat(30).map(
    (index) =>
      new Step(`find(#${index})`, async (model, real) => {
        const text = model.texts[index] ?? null;
        const sha = shaOf(text ?? `absent ${index}`);
        for (const door of real) expect(await door.find(sha)).toEqual({ value: text });
      }),
  ),
  fc.tuple(fc.constantFrom(undefined, 0, 1, 2, 3, 7, 1000, 1001), fc.option(fc.nat(30), { nil: undefined })).map(
    ([limit, after]) =>
      new Step(`page(${limit}, #${after})`, async (model, real) => {
        const cursor = after === undefined ? undefined : shaOf(model.texts[after] ?? `absent ${after}`);
        for (const door of real) expect(await door.page(limit, cursor)).toEqual(model.page(limit, cursor));
      }),
  ),
  fc.constant(
    new Step('list()', async (model, real) => {
      for (const door of real) expect(await door.list()).toEqual(model.texts.map(shaOf));
    }),
  ),
];

test.each(STORES)(
  'REST, GraphQL and a model of twenty lines never disagree, on %s',
  async (store) => {
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { size: 'medium' }), async (steps) => {
        try {
          const { client } = await startService({ store, env: { MAX_MESSAGE_BYTES: String(MAX_BYTES) } });
          const real = Object.values(doors).map((createDoor) => createDoor(client)) as unknown as Doors;
          await fc.asyncModelRun(() => ({ model: new Model(), real }), steps);
        } finally {
          await disposeLeftovers();
        }
      }),
      // Every run needs a fresh store, and a database takes longer to make than a file.
      { numRuns: store === 'postgres' ? RUNS / 5 : RUNS, endOnFailure: true },
    );
  },
  60_000 + RUNS * 1_000,
);
