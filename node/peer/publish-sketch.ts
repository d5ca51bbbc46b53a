/** A peer's own sketch, made and published once, where its network weighs by data and its privacy allows it. */
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { createPrng } from "../../protocol/prng.ts";
import type { Logger } from "../interface/logger.ts";
import type { PrivacyGuard } from "../interface/privacy-guard.ts";
import type { RandomSource } from "../interface/random-source.ts";
import type { Sketches } from "../interface/sketches.ts";
import { uniformSource } from "../privacy/gaussian-noise.ts";
import type { TrainerThread } from "../system/compute/trainer-thread.ts";

/** Examples that a sketch is made of, on average where they are drawn by chance: a forward pass of so many takes seconds. */
export const SKETCH_EXAMPLES = 512;

/** Whose sketch, of how many examples, with what noise. */
export interface PublishSketchOptions {
  readonly manifest: NetworkManifest;
  /** Examples of the training set. */
  readonly examples: number;
  readonly peerSeed: number;
  /** Multiplier of the Gaussian mechanism; no noise when absent. */
  readonly noise?: number | undefined;
}

/**
 * Nothing happens where a sketch was published before. With a privacy budget there is none without noise, and what it
 * costs is counted first.  Throws: what the trainer and the store throw; NodeError PRIVACY_BUDGET.
 */
export async function publishSketch(
  dependencies: {
    readonly sketches: Sketches;
    readonly trainer: Pick<TrainerThread, "sketch">;
    readonly privacy?: Pick<PrivacyGuard, "releaseSketch"> | undefined;
    readonly random: RandomSource;
    readonly logger: Logger;
  },
  { manifest, examples, peerSeed, noise }: PublishSketchOptions,
): Promise<void> {
  const { sketches, trainer, privacy, random, logger } = dependencies;
  if (sketches.own() !== undefined || !sketches.isAuthor()) return;
  const rate = Math.min(1, SKETCH_EXAMPLES / examples);
  if (privacy && (noise === undefined || !(await privacy.releaseSketch({ noise, rate })))) {
    const why =
      noise === undefined
        ? "a privacy budget asks for noise on the sketch too"
        : "the privacy budget does not cover it";
    logger.warn("no sketch of the data set is sent, neighbours weigh by model similarity alone", { reason: why });
    return;
  }
  const chosen = chooseExamples({ count: examples, rate, peerSeed, random: noise === undefined ? undefined : random });
  const options = { networkSeed: manifest.seed, peerSeed, ...(noise !== undefined && { noise }) };
  await sketches.publish(await trainer.sketch({ ...options, examples: chosen }));
  const said = { examples: chosen.length, noise: noise ?? "none" };
  logger.warn(
    "a sketch of the data set is sent: it tells how often each class occurs, and roughly the subjects of the texts",
    said,
  );
}

/** With noise each by chance, as the accountant assumes, never foreseeable; otherwise so many, drawn by the peer's seed. */
function chooseExamples({
  count,
  rate,
  peerSeed,
  random,
}: {
  readonly count: number;
  readonly rate: number;
  readonly peerSeed: number;
  readonly random: RandomSource | undefined;
}): readonly number[] {
  const all = Array.from({ length: count }, (_, i) => i);
  if (random === undefined) return createPrng(peerSeed).fork("sketch-examples").shuffle(all).slice(0, SKETCH_EXAMPLES);
  const uniform = uniformSource(random);
  return all.filter(() => uniform() < rate);
}
