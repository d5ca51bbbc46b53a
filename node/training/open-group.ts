/**
 * Sessions of several groups, of which one group is in memory at a time: those of training while it trains, those of
 * evaluation while it evaluates. What a session takes for activations it keeps until it is closed, and two sessions that
 * map the same weights count twice in the resident memory of the process.
 */
import type { Runtime, Session, SessionOptions } from "../interface/runtime.ts";

/** What a session is opened from. */
interface Opening {
  readonly model: Uint8Array;
  readonly options: SessionOptions;
}

/** Groups of sessions on one runtime. A session is loaded when it is asked for, and again where it runs after another group. */
export class OpenGroup {
  readonly #runtime: Runtime;
  readonly #open = new Map<Opening, Promise<Session>>();
  #group: string | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** The runtime as one group sees it; its sessions keep the bytes of their graphs, without weights. */
  runtimeOf(group: string): Runtime {
    return {
      ...this.#runtime,
      load: async (model, options) => {
        const opening = { model, options };
        await this.#opened(group, opening);
        return {
          run: async (feeds, outputs) => (await this.#opened(group, opening)).run(feeds, outputs),
          close: () => this.#close(opening),
        };
      },
    };
  }

  async #opened(group: string, opening: Opening): Promise<Session> {
    if (this.#group !== group) {
      this.#group = group;
      await Promise.all([...this.#open.keys()].map((one) => this.#close(one)));
    }
    let session = this.#open.get(opening);
    if (!session) {
      session = this.#runtime.load(opening.model, opening.options);
      this.#open.set(opening, session);
    }
    return session;
  }

  async #close(opening: Opening): Promise<void> {
    const session = this.#open.get(opening);
    this.#open.delete(opening);
    // One that was refused was never there.
    const [found] = await Promise.allSettled([session]);
    if (found?.status === "fulfilled") await found.value?.close();
  }
}
