import { createServer } from 'node:https';
import { ApolloServer } from '@apollo/server';
import { expressMiddleware } from '@as-integrations/express5';
import express from 'express';
import { address, announce, tls } from './listen.js';
import { schema } from './schema.js';

const apollo = new ApolloServer({ schema });
await apollo.start();
const app = express();
app.use('/graphql', express.json(), expressMiddleware(apollo));
const server = createServer(tls, app);
server.listen(address, () => announce(server));
