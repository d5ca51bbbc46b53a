/** The local steps of one round, in chunks with a checkpoint between them. */
import type { PeerEvent } from "../interface/peer-event.ts";
import type { PrivacyGuard } from "../interface/privacy-guard.ts";
import type { Trainer } from "../interface/trainer.ts";
import type { RoundMeter } from "./round-meter.ts";

/** Local steps between two checkpoints: the most that a kill can lose. */
export const CHUNK_STEPS = 8;

/**
 * Take the local steps of a round that are not taken yet. The last chunk is not saved here: it is saved together with the
 * decision to publish.
 * Throws: TRAINING_DIVERGED; what the guard and `save` throw; the signal's reason when aborted between two chunks.
 */
export async function trainRound(
  {
    trainer,
    privacy,
    meter,
    emit,
    patiently,
    onChunk,
    save,
  }: {
    readonly trainer: Trainer;
    readonly privacy: PrivacyGuard | undefined;
    /** Says how many steps were taken before a restart. */
    readonly meter: RoundMeter;
    readonly emit: (event: PeerEvent) => void;
    /** Does work that writes to disk again while the disk is full. */
    readonly patiently: <T>(work: () => Promise<T>) => Promise<T>;
    /** Called after each chunk with its number of steps. */
    readonly onChunk: (steps: number) => void;
    readonly save: () => Promise<void>;
  },
  { round, steps, signal }: { readonly round: number; readonly steps: number; readonly signal: AbortSignal },
): Promise<void> {
  if (privacy && meter.progress().stepsDone === 0) {
    const start = { round, theta: await trainer.adapter() };
    await patiently(() => privacy.roundStarts(start));
  }
  for (let done = meter.progress().stepsDone; done < steps; ) {
    signal.throwIfAborted();
    const chunk = Math.min(CHUNK_STEPS, steps - done);
    let index = done;
    const onStep = (loss: number): void => emit({ type: "step", round, step: ++index, steps, loss, phase: "swarm" });
    const result = await meter.during("train", () => trainer.train({ steps: chunk, onStep }));
    meter.trained(chunk, result);
    onChunk(chunk);
    done += chunk;
    if (done < steps) await save();
  }
}
