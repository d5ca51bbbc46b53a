/** What a peer that does not run has to show: read from its newest checkpoint, which no running peer is kept from writing. */
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { NodeError } from "../errors.ts";
import type { AloneFigure, ForgettingReport, LossFigure, RoundSummary, Score } from "../interface/peer-event.ts";
import { shownRecord } from "../round/peer-memory.ts";
import { createCheckpointFiles } from "../system/files/checkpoint-file.ts";
import { createLogger } from "../system/platform/log.ts";

/** A peer's rounds and scores, as far as it has come. */
export interface ShownRecord {
  /** Id of the network that it belongs to. */
  readonly network: string;
  readonly rounds: readonly RoundSummary[];
  /** Of the base model, on the validation set. */
  readonly base?: LossFigure | undefined;
  readonly aloneRounds?: readonly AloneFigure[] | undefined;
  readonly forgetting: ForgettingReport;
  /** On the test set, once the last round is done; alone where it was trained. */
  readonly scores?: { readonly base: Score; readonly alone?: Score | undefined; readonly swarm: Score } | undefined;
}

/** Throws: ADAPTER_FILE where there is no checkpoint yet, CHECKPOINT_CORRUPT, DATA_DIRECTORY. */
export async function storedRecord(dataDirectory: string): Promise<ShownRecord> {
  const { checkpoints } = dataDirectoryLayout(dataDirectory);
  const logger = createLogger({ level: "error", fields: {} });
  const checkpoint = await createCheckpointFiles({ logger }, { folder: checkpoints }).load();
  if (checkpoint !== undefined) return shownRecord(checkpoint);
  throw new NodeError("ADAPTER_FILE", `${dataDirectory} has no checkpoint yet`, { problem: "no-checkpoint" });
}
