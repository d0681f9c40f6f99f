import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What every contender is started with: `node NAME.js DATABASE SSL_FOLDER`. */
const [, , database, sslFolder] = process.argv;

export { database };

/** The files that Hashpost made for itself. */
export const tls = {
  cert: readFileSync(join(sslFolder, 'server.crt')),
  key: readFileSync(join(sslFolder, 'server.key')),
};

export const address = { host: '127.0.0.1', port: 0 };

/** Tells the benchmark where a listening server is. */
export function announce(server) {
  console.log(`{"url":"https://127.0.0.1:${server.address().port}"}`);
}
