/** The way back to an adapter that trains, where others' values have ruined the one at hand. */

import type { ReferenceSettings } from "../../protocol/network-manifest.ts";
import { emptyReference, encodeReference, isFinitePoint, type ReferenceState } from "../aggregation/index.ts";
import { NodeError } from "../errors.ts";
import type { Trainer } from "../interface/trainer.ts";
import type { PeerMemory, RoundMemory } from "./peer-memory.ts";
import { explodes } from "./settle-adapter.ts";

/** An adapter to go back to, f32[P]; or the network's common start. */
export type Fallback = Float32Array | "start";

/** Whether local training ended because no step could be taken. */
export function hasDiverged(error: unknown): boolean {
  return error instanceof NodeError && (error.code === "TRAINING_DIVERGED" || error.code === "ADAPTER_SHAPE");
}

/**
 * The adapters to go back to, the best one first: the peer's own as it was before others' values came into it, its past from
 * the newest on, and the network's common start, which nobody can ruin.
 */
export function fallbackAdapters({
  before,
  past,
}: {
  readonly before: Float32Array | undefined;
  readonly past: ReferenceState;
}): Fallback[] {
  const known = [...(before ? [before] : []), ...encodeReference(past)].filter(isFinitePoint);
  return [...known, "start"];
}

/**
 * Give the trainer this adapter with fresh moments, because those of the ruined one say nothing of it. The order of batches goes
 * on. Tensors that do not travel stay where they are, unless it is the common start.
 */
export async function goOnFrom(trainer: Trainer, fallback: Fallback = "start"): Promise<void> {
  const { step, adapter } = await trainer.state();
  await trainer.reset();
  const start = await trainer.state();
  const isKeepable = fallback !== "start" && isFinitePoint(adapter);
  await trainer.restore({ ...start, step, ...(isKeepable && { adapter }) });
  if (fallback !== "start") await trainer.setAdapter(fallback);
}

/** Whether others' values have come into the adapter in any round. */
export function hasMixed({ summaries }: Pick<RoundMemory, "summaries">): boolean {
  return summaries.some(({ neighbours }) => neighbours > 0);
}

/** Whether others' values have ruined what a checkpoint holds, as older versions let them; the end of a run stays as it is. */
export function isRuinedMemory(memory: Pick<PeerMemory, "trainer" | "position" | "summaries" | "best">): boolean {
  if (memory.position.phase === "serving" || !hasMixed(memory)) return false;
  const { adapter, firstMoment, secondMoment } = memory.trainer;
  const last = memory.summaries.at(-1)?.validationLoss ?? Number.NaN;
  return ![adapter, firstMoment, secondMoment].every(isFinitePoint) || explodes(last, memory.best.all.loss);
}

/** Give the trainer the newest adapter of a past whose held-out loss does not explode; else the network's common start. */
export async function goOnFromPast(
  trainer: Trainer,
  { reference, best }: Pick<RoundMemory, "reference" | "best">,
): Promise<void> {
  for (const fallback of fallbackAdapters({ before: undefined, past: reference })) {
    await goOnFrom(trainer, fallback);
    if (fallback === "start") return;
    if (!explodes((await trainer.evaluate({ set: "validation" })).loss, best.all.loss)) return;
  }
}

/** The memory without what others' values may have ruined: neither a past nor a rival is held on to. */
export function withoutPast(memory: RoundMemory, settings: ReferenceSettings): RoundMemory {
  return { ...memory, reference: emptyReference(settings), aggregate: undefined, trial: { state: memory.trial.state } };
}
