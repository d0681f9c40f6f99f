import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const disposers: (() => unknown)[] = [];

/** Remembers how to get rid of something, in case its test fails before it does so. */
export function dispose(disposer: () => unknown): void {
  disposers.push(disposer);
}

/** Runs in reverse order of creation. */
export async function disposeLeftovers(): Promise<void> {
  for (const disposer of disposers.splice(0).reverse()) await disposer();
}

/** A folder that is gone after the tests of the file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hashpost-test-'));
  dispose(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}
