/** The training with everybody's data that a testnet is compared with. */
import { availableParallelism } from "node:os";
import { trainingDoor, workDoor } from "../../../node/index.ts";
import type { NetworkManifest } from "../../../protocol/network-manifest.ts";
import type { CentralScores } from "../../../testnet/words/result.ts";
import { type DataFlags, dataOptions } from "../../data-options.ts";
import { engineOf } from "../../engine-flags.ts";
import { modelDirectory } from "../../model-directory.ts";
import type { Terminal } from "../../terminal.ts";
import type { PlannedTestnet, TestnetFlags } from "./testnet-plan.ts";

/** What a person reads while nothing but this training goes on. */
const WORK = "training with all data in one place";

/** The testnet that it is compared with. */
export interface CentralRunOptions {
  readonly flags: TestnetFlags & DataFlags;
  readonly manifest: NetworkManifest;
  readonly settings: PlannedTestnet["settings"];
  readonly terminal: Terminal;
}

/**
 * Trains on all data in one place, once. Beside the peers it takes a processor's share from the beginning, and at the end nobody
 * waits for it with all processors, which short steps do not fill. Begun after them it has the memory of the machine for itself.
 */
export class CentralRun {
  readonly #options: CentralRunOptions;
  readonly #stopping = new AbortController();
  #scores: Promise<CentralScores> | undefined;
  #isDone = false;
  /** Whether somebody waits for it: before that, the peers have the screen. */
  #isAwaited = false;

  constructor(options: CentralRunOptions) {
    this.#options = options;
  }

  /** Begin while the peers run, where the base model is the small one that every clone has. */
  beginBeside(): void {
    if (this.#options.flags.model !== undefined) return;
    this.#scores = this.#train(1);
    // Whoever asks for the scores hears of a failure.
    this.#scores.then(
      () => {
        this.#isDone = true;
      },
      () => undefined,
    );
  }

  /** What it reached; undefined where it was stopped.  Throws: as `trainCentrally`. */
  async scores(): Promise<CentralScores | undefined> {
    const { err, signal } = this.#options.terminal;
    if (!this.#isDone) err("all data in one place, to compare with: training\n");
    this.#isAwaited = true;
    this.#scores ??= this.#train(availableParallelism());
    const { tellWork } = await workDoor();
    try {
      return await this.#scores;
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    } finally {
      tellWork({ what: WORK, isOver: true });
    }
  }

  /** End it where it goes on still. Resolves when it has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#scores?.catch(() => undefined);
  }

  async #train(threads: number): Promise<CentralScores> {
    const { flags, manifest, settings, terminal } = this.#options;
    const { trainCentrally } = await trainingDoor();
    const { tellWork } = await workDoor();
    return trainCentrally({
      manifest,
      modelDirectory: modelDirectory(flags.model),
      data: {
        ...(settings.data ? dataOptions(flags) : {}),
        ...(flags.split !== undefined && { split: flags.split }),
      },
      peers: settings.peers,
      engine: engineOf(flags, { threads }),
      signal: AbortSignal.any([terminal.signal, this.#stopping.signal]),
      onStep: (done, total) => {
        if (this.#isAwaited) tellWork({ what: WORK, done, total, unit: "steps" });
      },
    });
  }
}
