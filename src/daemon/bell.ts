/** Waits for a ring or a while, whichever is first. A ring while nobody waits is kept; all who wait hear one. */
export class Bell {
  #rung = false;
  readonly #waiters = new Set<() => void>();

  ring(): void {
    this.#rung = true;
    for (const hear of this.#waiters) hear();
  }

  async wait(atMostMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", done);
          // Its own end, and nobody else's: whoever gave up waiting must not take the next ring from those who wait.
          this.#waiters.delete(hear);
          resolve();
        };
        const hear = () => {
          this.#rung = false;
          done();
        };
        const timer = setTimeout(done, atMostMs);
        this.#waiters.add(hear);
        signal.addEventListener("abort", done);
      });
      return;
    }
    this.#rung = false;
  }
}
