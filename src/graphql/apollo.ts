import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import { ApolloServerPluginLandingPageLocalDefault } from '@apollo/server/plugin/landingPage/default';
import { InMemoryLRUCache } from '@apollo/utils.keyvaluecache';
import type { DocumentNode, GraphQLSchema } from 'graphql';
import { errorTable, type ErrorCode } from '../errors.ts';
import { logError } from '../http/respond-error.ts';
import type { Logger } from '../observability/logger.ts';
import { createGateway } from './compiled/gateway.ts';
import type { CompiledOperations } from './compiled/operations.ts';
import type { GraphQLContext } from './context.ts';
import { classifyError, formatError } from './error-format.ts';
import { limitDocument, MAX_TOKENS } from './document-limits.ts';
import { limitOperation } from './operation-limits.ts';
import { negotiateMediaType } from './media-type.ts';

/** Of validated documents, with about 100 bytes for each unit of text; Apollo's own estimate leaves the text out. */
const DOCUMENT_STORE_BYTES = 16 * 1024 * 1024;
const sizeOf = ({ loc }: DocumentNode): number => 100 * (1 + (loc?.source.body.length ?? 0));

export interface ApolloOptions {
  readonly schema: GraphQLSchema;
  readonly logger: Logger;
  readonly operations: CompiledOperations;
  /** In characters of message text. */
  readonly answerLimit: number;
}

/** Resolves when the server takes operations. It reports to nobody outside and leaves signals to the process. */
export async function createApollo({
  schema,
  logger,
  operations,
  answerLimit,
}: ApolloOptions): Promise<ApolloServer<GraphQLContext>> {
  const apollo = new ApolloServer<GraphQLContext>({
    gateway: createGateway(schema, operations),
    // Fixed, so that NODE_ENV cannot change what clients see.
    nodeEnv: 'production',
    introspection: true,
    includeStacktraceInErrorResponses: false,
    hideSchemaDetailsFromClientErrors: true,
    persistedQueries: false,
    stopOnTerminationSignals: false,
    parseOptions: { maxLexicalTokens: MAX_TOKENS },
    validationRules: [limitDocument],
    validationOptions: { maxErrors: 5 },
    documentStore: new InMemoryLRUCache<DocumentNode>({ maxSize: DOCUMENT_STORE_BYTES, sizeCalculation: sizeOf }),
    formatError,
    logger,
    plugins: [
      // Before the limits, so that what they refuse is known to be an operation.
      noteOperation(),
      limitOperation(answerLimit),
      errorPolicy(logger),
      ApolloServerPluginLandingPageLocalDefault({ embed: true, footer: false }),
      // Its hooks would instrument every field, and no field here has a hint.
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
    ],
  });
  await apollo.start();
  return apollo;
}

/**
 * Findings about the document itself. Under the older media type the specification wants 200 for them, because only
 * the newer one tells apart an answer of GraphQL from one of some proxy ("Status Codes", application/json).
 */
const DOCUMENT_ERRORS = new Set<unknown>([
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
  'BAD_USER_INPUT',
  'QUERY_TOO_COMPLEX',
]);

/** The hot path notes the same of what it runs. */
function noteOperation(): ApolloServerPlugin<GraphQLContext> {
  return {
    requestDidStart: () =>
      Promise.resolve({
        didResolveOperation({ contextValue, operation }) {
          contextValue.request.operation = operation?.operation;
          return Promise.resolve();
        },
      }),
  };
}

/** Logs what the error table wants logged, notes the codes, gives each error the request's id, and settles the status. */
function errorPolicy(logger: Logger): ApolloServerPlugin<GraphQLContext> {
  return {
    requestDidStart: () =>
      Promise.resolve({
        didEncounterErrors({ errors, contextValue }) {
          for (const error of errors) {
            logError(logger, classifyError(error, error.extensions['code']), contextValue.request.id);
          }
          return Promise.resolve();
        },
        willSendResponse({ contextValue, request, response: { body, http } }) {
          if (body.kind !== 'single' || !body.singleResult.errors) return Promise.resolve();
          const { data, errors } = body.singleResult;
          for (const { extensions } of errors) contextValue.request.noteError(extensions?.['code'] as ErrorCode);
          body.singleResult.errors = errors.map((error) => ({
            ...error,
            extensions: { ...error.extensions, requestId: contextValue.request.id },
          }));
          const isDocumentError =
            data === undefined && errors.every(({ extensions }) => DOCUMENT_ERRORS.has(extensions?.['code']));
          if (isDocumentError) {
            const mediaType = negotiateMediaType(request.http?.headers.get('accept'));
            http.status = mediaType === 'application/json' ? 200 : errorTable.BAD_REQUEST.status;
          }
          return Promise.resolve();
        },
      }),
  };
}
