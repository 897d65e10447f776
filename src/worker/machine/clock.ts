/** Adds up the seconds spent in each kind of work. */
export class Clock {
  readonly #seconds: Record<string, number> = {};

  /** The seconds so far, by kind. */
  get seconds(): Readonly<Record<string, number>> {
    return this.#seconds;
  }

  async time<T>(kind: string, work: () => T | Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.#seconds[kind] = (this.#seconds[kind] ?? 0) + (performance.now() - start) / 1000;
    }
  }
}
