import { createHash } from 'node:crypto';
import { disposeLeftovers } from '../support/leftovers.ts';
import { startService, type Service } from '../support/service.ts';

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(disposeLeftovers);

const surrogates = Array.from({ length: 2048 }, (_, index) => (0xd800 + index).toString(16));
const ADD = 'mutation ($text: String!) { addMessage(text: $text) { sha } }';

async function expectEmptyStore(): Promise<void> {
  expect((await service.client.get('/messages')).text).toBe('{"digestList":[]}');
}

/** In each position of a text: alone, at its start, in its middle, at its end. */
const positions = (escape: string): string[] => [escape, `${escape}a`, `a${escape}a`, `a${escape}`];

test('every lone surrogate is refused by REST and nothing is stored', async () => {
  for (const hex of surrogates) {
    for (const text of positions(`\\u${hex}`)) {
      const { status, text: body } = await service.client.post('/messages', `{"message":"${text}"}`);
      expect([hex, status, JSON.parse(body)]).toMatchObject([hex, 400, { code: 'BAD_USER_INPUT' }]);
    }
  }
  await expectEmptyStore();
}, 60_000);

test.each(['variable', 'literal'])(
  'every lone surrogate is refused by GraphQL as a %s',
  async (kind) => {
    for (const hex of surrogates) {
      const body =
        kind === 'variable'
          ? `{"query":${JSON.stringify(ADD)},"variables":{"text":"a\\u${hex}"}}`
          : JSON.stringify({ query: `mutation { addMessage(text: "a\\u${hex}") { sha } }` });
      const answer = await service.client.post('/graphql', body, { 'content-type': 'application/json' });
      const { data, errors } = answer.json as { data?: unknown; errors: { extensions: { code: string } }[] };
      expect([hex, data ?? null]).toEqual([hex, null]);
      // As a literal, graphql-js refuses the escape already when it parses the document.
      expect(errors[0]?.extensions.code).toBe(kind === 'variable' ? 'BAD_USER_INPUT' : 'GRAPHQL_PARSE_FAILED');
    }
    await expectEmptyStore();
  },
  60_000,
);

const invalid: Record<string, number[]> = {
  'an encoded surrogate (ED A0 80)': [0xed, 0xa0, 0x80],
  'a surrogate pair, each encoded (CESU-8)': [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
  'an overlong NUL (C0 80)': [0xc0, 0x80],
  'an overlong slash (E0 80 AF)': [0xe0, 0x80, 0xaf],
  'beyond U+10FFFF (F4 90 80 80)': [0xf4, 0x90, 0x80, 0x80],
  'a byte that never starts a character (F5)': [0xf5, 0x80, 0x80, 0x80],
  'a byte that never occurs (FF)': [0xff],
  'a continuation byte alone': [0x80],
  'a truncated sequence of two': [0xc3],
  'a truncated sequence of three': [0xe2, 0x82],
  'a truncated sequence of four': [0xf0, 0x9f, 0x98],
  'Latin-1': [0xe9, 0x20],
};

test.each(Object.entries(invalid))('%s is refused, not repaired', async (_, bytes) => {
  const rest = Buffer.concat([Buffer.from('{"message":"'), Buffer.from(bytes), Buffer.from('"}')]);
  expect(await service.client.post('/messages', rest)).toMatchObject({ status: 400, json: { code: 'INVALID_UTF8' } });
  const operation = Buffer.from(JSON.stringify({ query: ADD, variables: { text: 'MARK' } }));
  const [start, end] = [
    operation.subarray(0, operation.indexOf('MARK')),
    operation.subarray(operation.indexOf('MARK') + 4),
  ];
  const graphql = Buffer.concat([start, Buffer.from(bytes), end]);
  const answer = await service.client.post('/graphql', graphql, { 'content-type': 'application/json' });
  expect(answer).toMatchObject({ status: 400, json: { errors: [{ extensions: { code: 'INVALID_UTF8' } }] } });
  await expectEmptyStore();
});

test('all other 63,488 characters of the first plane and 4,096 beyond it round-trip under the right sha', async () => {
  const { client } = await startService();
  const codes = Array.from({ length: 0x10000 }, (_, code) => code).filter((code) => code < 0xd800 || code > 0xdfff);
  const astral = Array.from({ length: 4096 }, (_, index) => 0x10000 + index * 256);
  const characters = [...codes, ...astral].map((code) => String.fromCodePoint(code));
  // Sixty-four to a text, so that each has neighbours on both sides.
  for (let index = 0; index < characters.length; index += 64) {
    const text = characters.slice(index, index + 64).join('');
    const sha = createHash('sha256').update(Buffer.from(text, 'utf8')).digest('hex');
    expect((await client.post('/messages', JSON.stringify({ message: text }))).json).toEqual({ digest: sha });
    expect((await client.get(`/messages/${sha}`)).json).toEqual({ message: text });
  }
}, 60_000);
