/** Waits for a ring or a while, whichever is first. A ring while nobody waits is kept. */
export class Bell {
  #rung = false;
  #waiter: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#waiter?.();
  }

  async wait(atMostMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", done);
          this.#waiter = undefined;
          resolve();
        };
        const timer = setTimeout(done, atMostMs);
        this.#waiter = done;
        signal.addEventListener("abort", done);
      });
    }
    this.#rung = false;
  }
}
