/** Listeners of one event; an error that one of them throws is logged and does not reach the network. */
import type { Logger } from "../interface/logger.ts";

/** The listeners of one event. */
export class Listeners<Event> {
  readonly #logger: Logger;
  readonly #all: ((event: Event) => void)[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(listener: (event: Event) => void): void {
    this.#all.push(listener);
  }

  tell(event: Event): void {
    for (const listener of this.#all) {
      try {
        listener(event);
      } catch (error) {
        this.#logger.error("a listener failed", { error });
      }
    }
  }
}
