import { createHash } from 'node:crypto';
import { doors, type Door } from '../support/doors.ts';
import { disposeLeftovers } from '../support/leftovers.ts';
import { startService, STORES, type Service } from '../support/service.ts';

const shaOf = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');
const UNKNOWN = shaOf('nobody ever posts this');

/** Texts that careless services change, cut or refuse. */
const texts: Record<string, string> = {
  'a word': 'foo',
  'the empty text': '',
  'only spaces': '   ',
  'line ends of all kinds': 'a\r\nb\nc\rd',
  'NUL inside': 'a\u0000b',
  'NUL alone': '\u0000',
  'composed (NFC)': '\u00e9',
  'decomposed (NFD)': 'e\u0301',
  'the replacement character, on purpose': '\ufffd',
  'a leading byte order mark': '\ufeffx',
  noncharacters: '\ufffe\uffff\u{1fffe}',
  'separators that JavaScript once broke at': '\u2028\u2029',
  'bidirectional controls and joiners': '\u202eabc\u200d\u202c',
  'a family of emoji': '👩‍👩‍👧‍👦',
  'the last code point': '\u{10ffff}',
  'what looks like HTML': '<script>alert(1)</script>',
  'what looks like SQL': `'; DROP TABLE message; -- %_`,
  'what looks like JSON': '{"message":"x"}',
};

const cases = Object.keys(doors).flatMap((door) => STORES.map((store) => ({ door, store })));

describe.each(cases)('$door on $store', ({ door: name, store }) => {
  let service: Service;
  let door: Door;
  let otherDoor: Door;

  beforeAll(async () => {
    service = await startService({ store, env: { MAX_MESSAGE_BYTES: '1000' } });
    const [here, there] = Object.entries(doors).sort(([a]) => (a === name ? -1 : 1));
    door = here?.[1](service.client) as Door;
    otherDoor = there?.[1](service.client) as Door;
  });
  afterAll(disposeLeftovers);

  test('an empty store has an empty list', async () => {
    expect(await door.list()).toEqual([]);
  });

  test.each(Object.entries(texts))('%s comes back exactly, through both doors', async (_, text) => {
    expect(await door.add(text)).toEqual({ value: shaOf(text) });
    expect(await door.find(shaOf(text))).toEqual({ value: text });
    expect(await otherDoor.find(shaOf(text))).toEqual({ value: text });
  });

  test('the list is in the order of first arrival, and adding again changes nothing', async () => {
    const expected = Object.values(texts).map(shaOf);
    expect(await door.list()).toEqual(expected);
    expect(await otherDoor.add('foo')).toEqual({ value: shaOf('foo') });
    expect(await door.add('foo')).toEqual({ value: shaOf('foo') });
    expect(await door.list()).toEqual(expected);
    expect(await otherDoor.list()).toEqual(expected);
  });

  test('pages follow each other without gap or overlap', async () => {
    const all = await door.list();
    for (const limit of [1, 5, all.length - 1, all.length, 1000]) {
      const walked: string[] = [];
      for (let more = true; more;) {
        const page = await door.page(limit, walked.at(-1));
        if (!('value' in page)) throw new Error(page.code);
        expect(page.value.shas.length).toBeLessThanOrEqual(limit);
        walked.push(...page.value.shas);
        more = page.value.hasNextPage;
      }
      expect(walked).toEqual(all);
    }
  });

  test('the page after the last message is empty', async () => {
    expect(await door.page(10, (await door.list()).at(-1))).toEqual({ value: { shas: [], hasNextPage: false } });
  });

  test.each([0, -1, 1001, 2 ** 31 - 1])('a page of %d is refused', async (limit) => {
    expect(await door.page(limit)).toEqual({ code: 'BAD_USER_INPUT' });
  });

  test('a cursor that is no message is refused', async () => {
    expect(await door.page(10, UNKNOWN)).toEqual({ code: 'BAD_USER_INPUT' });
    expect(await door.page(10, 'abc')).toEqual({ code: 'BAD_USER_INPUT' });
  });

  test('an unknown sha is absent, not an error', async () => {
    expect(await door.find(UNKNOWN)).toEqual({ value: null });
  });

  test.each([1, 1.5, true, {}, [], ['x'], null])('%j is no text', async (value) => {
    expect(await door.add(value)).toEqual({ code: 'BAD_USER_INPUT' });
  });

  test.each(['a', 'é', '€', '😀'])('the limit counts UTF-8 bytes, of %s too', async (character) => {
    const full = character.repeat(Math.floor(1000 / Buffer.byteLength(character)));
    const padded = full + 'x'.repeat(1000 - Buffer.byteLength(full));
    expect(await door.add(padded)).toEqual({ value: shaOf(padded) });
    expect(await door.add(`${padded}x`)).toEqual({ code: 'BODY_TOO_LARGE' });
  });

  test('a text of nothing but characters that JSON escapes fits', async () => {
    const text = '\u0001'.repeat(1000);
    expect(await door.add(text)).toEqual({ value: shaOf(text) });
  });

  test('64 writers of one text at once store it once', async () => {
    const before = (await door.list()).length;
    const added = await Promise.all(Array.from({ length: 64 }, (_, n) => (n % 2 ? door : otherDoor).add('at once')));
    expect(new Set(added.map((outcome) => JSON.stringify(outcome)))).toEqual(
      new Set([JSON.stringify({ value: shaOf('at once') })]),
    );
    expect(await door.list()).toHaveLength(before + 1);
  });
});
