// The floor: what HTTPS itself costs in Node, with JSON in and out, and nothing behind it.
import { createServer } from 'node:https';
import { address, announce, tls } from './listen.js';

const MESSAGE = JSON.stringify({ message: 'x'.repeat(100) });
const DIGEST = JSON.stringify({ digest: '0'.repeat(64) });

const server = createServer(tls, (req, res) => {
  if (req.method === 'GET') {
    send(res, MESSAGE);
    return;
  }
  const chunks = [];
  req.on('data', (chunk) => chunks.push(chunk));
  req.on('end', () => {
    JSON.parse(Buffer.concat(chunks).toString());
    send(res, DIGEST);
  });
});

function send(res, body) {
  res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
  res.end(body);
}

server.listen(address, () => announce(server));
