import { Arg, Args, Extensions, Info, Mutation, Query, Resolver } from 'type-graphql';
import type { GraphQLResolveInfo } from 'graphql';
import { selectsText } from '../graphql/text-fields.ts';
import type { PageExtensions } from '../graphql/operation-cost.ts';
import type { Sha } from './message.ts';
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, type MessageService } from './message.service.ts';
import { MessageConnection, MessageType, PageArgs, Sha256 } from './message.type.ts';

/** The GraphQL API: thin translations to and from the service. */
@Resolver()
export class MessageResolver {
  readonly #service: MessageService;

  constructor(service: MessageService) {
    this.#service = service;
  }

  @Query(() => MessageConnection, {
    description: "Oldest first. Forward: first, after. Backward: last, before. A cursor is a message's sha.",
  })
  @Extensions({ page: { defaultSize: DEFAULT_PAGE_SIZE, maxSize: MAX_PAGE_SIZE } } satisfies PageExtensions)
  async messages(@Args(() => PageArgs) args: PageArgs, @Info() info: GraphQLResolveInfo): Promise<MessageConnection> {
    const page = selectsText(info) ? this.#service.page(args) : this.#service.summaryPage(args);
    return new MessageConnection(await page);
  }

  @Query(() => MessageType, { nullable: true, description: 'The message with this sha, or null.' })
  messageBySha(@Arg('sha', () => Sha256) sha: Sha): MessageType | undefined | Promise<MessageType | undefined> {
    return this.#service.findBySha(sha);
  }

  @Mutation(() => MessageType, {
    description: 'Keeps a text. Adding a known text again changes nothing and answers the message as first stored.',
  })
  addMessage(@Arg('text', () => String) text: string): Promise<MessageType> {
    return this.#service.add(text);
  }
}
