import { Arg, Args, Ctx, Extensions, Info, Mutation, Query, Resolver } from 'type-graphql';
import type { GraphQLResolveInfo } from 'graphql';
import { selectsField } from '../graphql/selects-field.ts';
import type { PageExtensions } from '../graphql/operation-cost.ts';
import type { GraphQLContext } from '../graphql/context.ts';
import type { Sha } from './message.ts';
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, type MessageService } from './message.service.ts';
import { MessageConnection, MessageType, PageArgs, Sha256 } from './message.type.ts';

/** The GraphQL door: thin translations to and from the service. */
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
  async messages(
    @Ctx() context: GraphQLContext,
    @Args(() => PageArgs) args: PageArgs,
    @Info() info: GraphQLResolveInfo,
  ): Promise<MessageConnection> {
    if (!selectsField(info, 'text')) return new MessageConnection(await this.#service.summaryPage(args));
    const page = await this.#service.page(args);
    for (const { bytes } of page.items) context.bytesRead += bytes;
    return new MessageConnection(page);
  }

  @Query(() => MessageType, { nullable: true, description: 'The message with this sha, or null.' })
  async messageBySha(@Ctx() context: GraphQLContext, @Arg('sha', () => Sha256) sha: Sha): Promise<MessageType | null> {
    const message = await this.#service.findBySha(sha);
    context.bytesRead += message?.bytes ?? 0;
    return message ?? null;
  }

  @Mutation(() => MessageType, {
    description: 'Keeps a text. Adding a known text again changes nothing and answers the message as first stored.',
  })
  async addMessage(@Ctx() context: GraphQLContext, @Arg('text', () => String) text: string): Promise<MessageType> {
    const message = await this.#service.add(text);
    context.bytesRead += message.bytes;
    return message;
  }
}
