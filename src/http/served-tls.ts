import type { TlsFiles } from './tls-files.ts';

/** The certificate and key that the service shows now, and their one owner: whatever shows or uses them asks here. */
export abstract class ServedTls {
  #current: TlsFiles;
  readonly #listeners: ((files: TlsFiles) => void)[] = [];

  protected constructor(files: TlsFiles) {
    this.#current = files;
  }

  get current(): TlsFiles {
    return this.#current;
  }

  /** @param listener is called with every later pair. */
  onReplaced(listener: (files: TlsFiles) => void): void {
    this.#listeners.push(listener);
  }

  protected replace(files: TlsFiles): void {
    this.#current = files;
    for (const listener of this.#listeners) listener(files);
  }

  /** Loads them again, where this process is the one that does. Never rejects: what cannot be used changes nothing. */
  abstract reload(): Promise<void>;

  abstract close(): void;
}
