/** The end of what was started piece by piece. */

/** Ends what was started, last first; a failure does not keep the rest from ending. */
export class Shutdown {
  readonly #steps: (() => Promise<void>)[] = [];

  /** How to end what was just started. */
  add(step: () => Promise<void>): void {
    this.#steps.unshift(step);
  }

  /** End all of it; what was ended once is not ended again.  Throws: the first failure, once everything has ended. */
  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (const step of this.#steps.splice(0)) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
