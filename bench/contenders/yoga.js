import { createServer } from 'node:https';
import { createYoga } from 'graphql-yoga';
import { address, announce, tls } from './listen.js';
import { schema } from './schema.js';

const server = createServer(tls, createYoga({ schema }));
server.listen(address, () => announce(server));
