/**
 * Which adapter leaves a round: the mix that was decided on, or the peer's own where the mix would ruin it. Whatever a neighbour
 * sends, the peer goes on training. A robust rule holds most lies off; this is for those that it lets through, and for
 * the rules and numbers of neighbours that hold nothing off.
 */

import type { ReferenceSettings } from "../../protocol/network-manifest.ts";
import {
  type AdapterLayout,
  anchorToReference,
  emptyReference,
  ifAdapter,
  isPlausible,
  type ReferenceState,
  rememberModel,
} from "../aggregation/index.ts";
import type { RefusalReason } from "../interface/peer-event.ts";
import type { Evaluation, Trainer } from "../interface/trainer.ts";

/**
 * A loss explodes where it is so many nats per token above the one that it is compared with. Among honest peers a mix was at
 * most 3.84 above the own loss where each had a task of its own and took the whole aggregate, and at most 1.03 on mixed tasks
 * (measured: npm run bench:mixes, the embedded model, four peers; in the first round, whatever the own loss was).
 */
export const EXPLOSION_NATS = 4;

/** Whether a held-out loss is not finite, or explodes: L > L_own + 4. Where the other one is not finite, any that is will do. */
export function explodes(loss: number, own: number): boolean {
  if (!Number.isFinite(loss)) return true;
  return Number.isFinite(own) && loss > own + EXPLOSION_NATS;
}

/** What a round is settled from. */
export interface SettleOptions {
  /** The adapter to keep where the mix is refused: the peer's own, f32[P]; of a peer that became its rival the rival's mix. */
  readonly own: Float32Array;
  /** The mix that was decided on, f32[P]; undefined where there is none, because its values fit no adapter. */
  readonly mixed: Float32Array | undefined;
  readonly past: ReferenceState;
  readonly settings: ReferenceSettings;
  readonly layout: AdapterLayout;
  /** A loss that this peer had before, in nats per token: a mix that is not far above it is evaluated once and not compared. */
  readonly expectedLoss?: number | undefined;
  /** Whether losses may be looked at; a peer with a privacy budget goes by the values alone. */
  readonly looksAtLosses: boolean;
}

/** The adapter that the trainer has now, and what came of the round. */
export interface SettledRound {
  readonly past: ReferenceState;
  readonly validation: Evaluation;
  /** Why the mix, or the reference model, was refused; undefined where the round is as it was decided. */
  readonly refusal?: RefusalReason;
}

/**
 * Anchor the mix to the past, give it to the trainer and evaluate it. Where that is refused, the mix without the past is
 * tried, because it may be the past that is bad, and then the own adapter is kept as it is. What is refused is not
 * remembered.
 * Throws: what the trainer throws.
 */
export async function settleAdapter(trainer: Trainer, options: SettleOptions): Promise<SettledRound> {
  const { own, mixed, past, settings, layout, expectedLoss = Number.NaN, looksAtLosses } = options;
  const fisher = await trainer.fisher();
  const remember = async (kept: ReferenceState): Promise<ReferenceState> =>
    rememberModel(kept, await trainer.adapter(), { settings, layout });
  let ownEvaluation: Evaluation | undefined;
  /** Give the trainer this adapter; undefined where its values or its loss are refused. */
  const tried = async (theta: Float32Array | undefined): Promise<Evaluation | RefusalReason> => {
    if (theta === undefined || !isPlausible(theta, own)) return "values";
    await trainer.setAdapter(theta);
    const validation = await trainer.evaluate({ set: "validation", perExample: true });
    const looksGood = Number.isFinite(expectedLoss) && !explodes(validation.loss, expectedLoss);
    if (!looksAtLosses || looksGood) return validation;
    ownEvaluation ??= await trainer.evaluate({ set: "validation", adapter: own, perExample: true });
    return explodes(validation.loss, ownEvaluation.loss) ? "loss" : validation;
  };
  const anchored = mixed && ifAdapter(() => anchorToReference(past, mixed, { settings, layout, fisher }));
  const first = await tried(anchored);
  if (typeof first !== "string") return { past: await remember(past), validation: first };
  const empty = emptyReference(settings);
  const hasPast = settings.kind !== "none" && anchored?.some((x, i) => x !== mixed![i]!) !== false;
  const second = hasPast ? await tried(mixed) : first;
  if (typeof second !== "string") return { past: await remember(empty), validation: second, refusal: "reference" };
  await trainer.setAdapter(own);
  ownEvaluation ??= await trainer.evaluate({ set: "validation", perExample: true });
  return { past: await remember(past), validation: ownEvaluation, refusal: second };
}
