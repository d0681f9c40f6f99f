import {
  AddMessageDocument,
  MessageByShaDocument,
  MessagesDocument,
  type TypedDocumentString,
} from '../gql/graphql.ts';
import type { Answer, Client } from './client.ts';

/** What a door answered: a value, or the code of the error table. */
export type Outcome<Value> = { readonly value: Value } | { readonly code: string };

export interface ShaPage {
  readonly shas: readonly string[];
  readonly hasNextPage: boolean;
}

/** One behaviour, spoken in two protocols. */
export interface Door {
  /** The sha that the text was kept under. */
  add(text: unknown): Promise<Outcome<string>>;
  /** Its text, or null where there is no such message. */
  find(sha: string): Promise<Outcome<string | null>>;
  page(limit?: number, after?: string): Promise<Outcome<ShaPage>>;
  /** Every sha, by walking the pages or reading the stream. */
  list(): Promise<readonly string[]>;
}

export const doors: Readonly<Record<string, (client: Client) => Door>> = { REST: restDoor, GraphQL: graphqlDoor };

function restDoor(client: Client): Door {
  const outcomeOf = <Value>(answer: Answer, toValue: (json: never) => Value): Outcome<Value> =>
    answer.status < 300 ? { value: toValue(answer.json as never) } : { code: (answer.json as { code: string }).code };

  return {
    async add(text) {
      const answer = await client.post('/messages', JSON.stringify({ message: text }));
      return outcomeOf(answer, ({ digest }: { digest: string }) => digest);
    },
    async find(sha) {
      const answer = await client.get(`/messages/${sha}`);
      return answer.status === 404 ? { value: null } : outcomeOf(answer, ({ message }: { message: string }) => message);
    },
    async page(limit, after) {
      const query = new URLSearchParams();
      if (limit !== undefined) query.set('limit', String(limit));
      if (after !== undefined) query.set('after', after);
      const answer = await client.get(`/messages?${query.size > 0 ? query.toString() : 'limit=100'}`);
      return outcomeOf(answer, ({ digestList }: { digestList: string[] }) => ({
        shas: digestList,
        hasNextPage: answer.headers['link'] !== undefined,
      }));
    },
    async list() {
      return ((await client.get('/messages')).json as { digestList: string[] }).digestList;
    },
  };
}

function graphqlDoor(client: Client): Door {
  async function run<Result, Variables extends Record<string, unknown>>(
    document: TypedDocumentString<Result, Variables>,
    variables: Record<keyof Variables, unknown>,
  ): Promise<Outcome<Result>> {
    const { json } = await client.graphql(document.toString(), variables);
    const { data, errors } = json as { data?: Result; errors?: { extensions: { code: string } }[] };
    const code = errors?.[0]?.extensions.code;
    return code === undefined ? { value: data as Result } : { code };
  }
  const mapValue = <From, To>(outcome: Outcome<From>, map: (value: From) => To): Outcome<To> =>
    'value' in outcome ? { value: map(outcome.value) } : outcome;

  const door: Door = {
    async add(text) {
      return mapValue(await run(AddMessageDocument, { text }), ({ addMessage }) => addMessage.sha);
    },
    async find(sha) {
      return mapValue(await run(MessageByShaDocument, { sha }), ({ messageBySha }) => messageBySha?.text ?? null);
    },
    async page(first, after) {
      const outcome = await run(MessagesDocument, { first, after, last: undefined, before: undefined });
      return mapValue(outcome, ({ messages: { nodes, pageInfo } }) => ({
        shas: nodes.map(({ sha }) => sha),
        hasNextPage: pageInfo.hasNextPage,
      }));
    },
    async list() {
      const all: string[] = [];
      for (;;) {
        const outcome = await door.page(1000, all.at(-1));
        if (!('value' in outcome)) throw new Error(outcome.code);
        all.push(...outcome.value.shas);
        if (!outcome.value.hasNextPage) return all;
      }
    },
  };
  return door;
}
