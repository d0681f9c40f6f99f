import { pino, type DestinationStream } from 'pino';

/** Lines that wait for a slow reader of stdout; beyond it they are dropped, because requests come first. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** Lines go out many at a time, because each write wakes a thread, which costs more than a line; but none waits long. */
const WRITE_BYTES = 32 * 1024;
const MAX_DELAY_MS = 100;

/** At exit the rest is written while the process waits; each retry is 100 ms. */
const MAX_EXIT_RETRIES = 10;

/** Stdout, written outside of the requests; a reader that has stopped reading holds up neither them nor the exit. */
export function createStdout(): DestinationStream {
  let retriesLeft = Infinity;
  // Registered before pino's own listener, which writes the rest.
  process.on('exit', () => (retriesLeft = MAX_EXIT_RETRIES));
  return pino.destination({
    fd: process.stdout.fd,
    sync: false,
    minLength: WRITE_BYTES,
    maxWrite: 2 * WRITE_BYTES,
    periodicFlush: MAX_DELAY_MS,
    maxLength: MAX_WAITING_BYTES,
    retryEAGAIN: () => retriesLeft-- > 0,
  });
}
