// With a last argument "jit", operations are compiled on their first run.
import fastify from 'fastify';
import mercurius from 'mercurius';
import { address, announce, tls } from './listen.js';
import { schema } from './schema.js';

const app = fastify({ https: tls });
app.register(mercurius, { schema, jit: process.argv.at(-1) === 'jit' ? 1 : 0 });
await app.listen(address);
announce(app.server);
