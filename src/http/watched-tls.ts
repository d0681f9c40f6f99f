import { stat } from 'node:fs/promises';
import type { Config } from '../config.ts';
import type { Logger } from '../observability/logger.ts';
import { describeCertificate, warnOfTls } from './announce.ts';
import { daysLeft } from './certificate.ts';
import { ServedTls } from './served-tls.ts';
import { isDueForRenewal, loadTlsFiles, reloadTlsFiles, type TlsFiles } from './tls-files.ts';

/**
 * Polled and not watched: systems tell of changes in ways that differ, and of a change behind a symbolic link (how
 * Kubernetes replaces a secret) or on a network not at all. Longer than nginx in front takes to trust a new certificate,
 * see deploy/nginx/reload-on-change.sh.
 */
const POLL_MS = 2000;

export interface WatchedTlsOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/** Certificate and key from their files, loaded again when these change, and when a development certificate is due. */
export class WatchedTls extends ServedTls {
  readonly #options: WatchedTlsOptions;
  readonly #timer: NodeJS.Timeout;
  /** The files as they were when they were last looked at, and when they were last loaded. */
  #seen = '';
  #loaded = '';
  #loading: Promise<void> = Promise.resolve();

  private constructor(files: TlsFiles, options: WatchedTlsOptions) {
    super(files);
    this.#options = options;
    this.#timer = setInterval(() => void this.#poll(), POLL_MS).unref();
  }

  /** @throws Error that names the setting or file at fault. */
  static async open(options: WatchedTlsOptions): Promise<WatchedTls> {
    return new WatchedTls(await loadTlsFiles(options.config, options.now()), options);
  }

  override reload(): Promise<void> {
    this.#options.logger.info('told to load the certificate again');
    return this.#loadInTurn();
  }

  #loadInTurn(): Promise<void> {
    // One after the other, because a load may write a new development certificate.
    this.#loading = this.#loading.then(() => this.#load());
    return this.#loading;
  }

  override close(): void {
    clearInterval(this.#timer);
  }

  async #poll(): Promise<void> {
    const found = await this.#fingerprint();
    const isSettled = found === this.#seen;
    this.#seen = found;
    // Files that are still changing may be half written, or the new certificate with the old key.
    if (!isSettled || found === this.#loaded) return;
    this.#loaded = found;
    await this.#loadInTurn();
  }

  async #load(): Promise<void> {
    const { config, logger, now } = this.#options;
    try {
      const files = await reloadTlsFiles(config, now());
      if (files.cert === this.current.cert && files.key === this.current.key) return;
      if (hasExpired(files, now()) && !hasExpired(this.current, now())) {
        throw new Error(`TLS_CERT_FILE (${config.tlsCertFile}) has expired`);
      }
      this.replace(files);
      const state = { files, config, now: now() };
      logger.info({ certificate: describeCertificate(state) }, 'the certificate has been replaced');
      warnOfTls(logger, state);
    } catch (error) {
      logger.error(`the certificate stays as it is, its files cannot be used: ${(error as Error).message}`);
    }
  }

  /** Differs whenever there may be something to do: another file, another content, another day of a due renewal. */
  async #fingerprint(): Promise<string> {
    const { config, now } = this.#options;
    const files = await Promise.all([config.tlsCertFile, config.tlsKeyFile].map(fingerprintOf));
    const isDue = isDueForRenewal(this.current, config, now());
    return [...files, isDue && daysLeft(this.current.certificate, now())].join();
  }
}

function hasExpired({ certificate }: TlsFiles, now: number): boolean {
  return daysLeft(certificate, now) < 0;
}

async function fingerprintOf(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = await stat(file);
    return [dev, ino, size, mtimeMs, ctimeMs].join();
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
