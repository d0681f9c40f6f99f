import { GraphQLScalarType } from 'graphql';
import { ArgsType, Extensions, Field, GraphQLISODateTime, Int, ObjectType } from 'type-graphql';
import type { TextExtensions } from '../graphql/text-fields.ts';
import { createIsoTime } from './iso-time.ts';
import { parseSha, type Message, type MessageSummary, type Sha } from './message.ts';
import type { Page, PageArguments } from './message.service.ts';

export const Sha256 = new GraphQLScalarType<Sha, string>({
  name: 'Sha256',
  description: "64 lowercase hexadecimal digits: the SHA-256 of the text's UTF-8 bytes.",
  parseValue: parseSha,
  // What goes out is a Sha by its type.
  serialize: (sha) => sha as Sha,
});

/** TypeGraphQL's own, without a look at what is a Date by its type. */
const DateTimeISO = new GraphQLScalarType<Date, string>({
  ...GraphQLISODateTime.toConfig(),
  serialize: createIsoTime() as (time: unknown) => string,
});

// simpleResolvers: fields are read as plain properties, without a wrapper per field and item.
const simple = { simpleResolvers: true };

@ArgsType()
export class PageArgs implements PageArguments {
  @Field(() => Int, { nullable: true })
  first?: number | null;

  @Field(() => Sha256, { nullable: true })
  after?: Sha | null;

  @Field(() => Int, { nullable: true })
  last?: number | null;

  @Field(() => Sha256, { nullable: true })
  before?: Sha | null;
}

@ObjectType('Message', simple)
export class MessageType implements Message {
  @Field(() => Sha256)
  sha!: Sha;

  @Field(() => String, { description: 'Exactly as it was added.' })
  @Extensions({ isText: true } satisfies TextExtensions)
  text!: string;

  @Field(() => Int, { description: 'Length of the text in UTF-8 bytes.' })
  bytes!: number;

  @Field(() => DateTimeISO, { description: 'When it was first stored.' })
  createdAt!: Date;
}

@ObjectType(simple)
export class MessageEdge {
  @Field(() => Sha256)
  cursor!: Sha;

  @Field(() => MessageType)
  node!: MessageSummary;
}

@ObjectType(simple)
export class PageInfo {
  @Field(() => Boolean)
  hasNextPage!: boolean;

  @Field(() => Boolean)
  hasPreviousPage!: boolean;

  @Field(() => Sha256, { nullable: true })
  startCursor!: Sha | undefined;

  @Field(() => Sha256, { nullable: true })
  endCursor!: Sha | undefined;
}

/** A page as Relay's Cursor Connections Specification shapes it; edges are only made when they are asked for. */
@ObjectType(simple)
export class MessageConnection {
  readonly #page: Page<MessageSummary>;

  /** @param page with the texts, if they are asked for. */
  constructor(page: Page<MessageSummary>) {
    this.#page = page;
  }

  @Field(() => [MessageType])
  get nodes(): readonly MessageSummary[] {
    return this.#page.items;
  }

  @Field(() => [MessageEdge])
  get edges(): MessageEdge[] {
    return this.#page.items.map((node) => ({ cursor: node.sha, node }));
  }

  @Field(() => PageInfo)
  get pageInfo(): PageInfo {
    const { items, hasNextPage, hasPreviousPage } = this.#page;
    return { hasNextPage, hasPreviousPage, startCursor: items[0]?.sha, endCursor: items.at(-1)?.sha };
  }
}
