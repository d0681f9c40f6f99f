import type { DestinationStream } from 'pino';
import sonicBoom from 'sonic-boom';

/** Lines that wait for a slow reader of stdout, or for room on its disk; beyond it they are dropped: requests come first. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** Lines go out many at a time, because each write wakes a thread, which costs more than a line; but none waits long. */
const WRITE_BYTES = 32 * 1024;
const MAX_DELAY_MS = 100;

/** Where the process has to wait for the reader, at its exit and at fatal lines; each retry is 100 ms. */
const MAX_RETRIES = 10;

/**
 * Stdout, written outside of the requests. What cannot be written holds up neither them nor the exit: it is tried again
 * with the next lines, and stderr is told when it begins and how many lines were lost when it is over.
 */
export function createStdout(): DestinationStream {
  let retries = 0;
  let isFailing = false;
  let dropped = 0;
  const stdout = new sonicBoom.SonicBoom({
    fd: process.stdout.fd,
    sync: false,
    minLength: WRITE_BYTES,
    maxWrite: 2 * WRITE_BYTES,
    periodicFlush: MAX_DELAY_MS,
    maxLength: MAX_WAITING_BYTES,
    retryEAGAIN: () => ++retries <= MAX_RETRIES,
  });
  stdout.on('error', ({ message }: Error) => {
    if (!isFailing) process.stderr.write(`hashpost: the log cannot be written: ${message}\n`);
    isFailing = true;
  });
  stdout.on('drop', () => dropped++);
  stdout.on('write', () => {
    retries = 0;
    if (isFailing) process.stderr.write(`hashpost: the log is written again, ${dropped} lines are lost\n`);
    isFailing = false;
    dropped = 0;
  });
  process.on('exit', () => {
    try {
      stdout.flushSync();
    } catch {
      // It has been said.
    }
  });
  return stdout;
}
