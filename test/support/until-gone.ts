/** Takes a step again and again, with its number, until the service that it talks to is gone. */
export async function untilGone(step: (index: number) => Promise<void>): Promise<void> {
  for (let index = 0; ; index++) {
    try {
      await step(index);
    } catch (error) {
      if (/^(ECONNRESET|ECONNREFUSED|EPIPE)$/.test((error as NodeJS.ErrnoException).code ?? '')) return;
      throw error;
    }
  }
}
