/** How a network trains, in words: the optimiser `sgd:0.9`, the schedule `cosine:10`. */
import { NodeError } from "../node/errors.ts";
import { closestName } from "../protocol/closest-name.ts";
import type { LearningRateSchedule, TrainingSpec } from "../protocol/network-manifest.ts";

const OPTIMIZERS = ["adamw", "sgd"] as const;
const SCHEDULES = ["constant", "linear", "cosine"] as const;

/** `adamw`, `sgd`, or `sgd` with its momentum.  Throws: NodeError CONFIG_INVALID. */
export function parseOptimizer(word: string): Pick<TrainingSpec, "optimizer" | "momentum"> {
  const [name = "", momentum, ...rest] = word.split(":");
  const refuse = refuser("optimizer", word, "write adamw, sgd or sgd:MOMENTUM such as sgd:0.9");
  const optimizer = OPTIMIZERS.find((one) => one === name);
  if (!optimizer) throw refuse(unknown(name, OPTIMIZERS));
  if (momentum === undefined) return { optimizer };
  const value = Number(momentum);
  if (optimizer !== "sgd" || rest.length > 0) throw refuse("only sgd takes a momentum, and nothing else");
  if (momentum === "" || !(value >= 0 && value < 1)) throw refuse(`"${momentum}" is not a number from 0 to below 1`);
  return { optimizer, momentum: value };
}

/** `constant`, `linear` or `cosine`, and the steps of its warm-up.  Throws: NodeError CONFIG_INVALID. */
export function parseSchedule(word: string): LearningRateSchedule {
  const [name = "", warmup = "0", ...rest] = word.split(":");
  const refuse = refuser("schedule", word, "write constant, linear or cosine, or with a warm-up such as cosine:10");
  const kind = SCHEDULES.find((one) => one === name);
  if (!kind) throw refuse(unknown(name, SCHEDULES));
  if (!/^\d{1,9}$/.test(warmup) || rest.length > 0) throw refuse(`"${warmup}" is not a number of steps`);
  return { kind, warmupSteps: Number(warmup) };
}

/** The word for an optimiser; `parseOptimizer` of it gives it back. */
export function formatOptimizer({ optimizer, momentum }: Pick<TrainingSpec, "optimizer" | "momentum">): string {
  return momentum === undefined ? optimizer : `${optimizer}:${momentum}`;
}

/** The word for a schedule; `parseSchedule` of it gives it back. */
export function formatSchedule({ kind, warmupSteps }: LearningRateSchedule): string {
  return warmupSteps === 0 ? kind : `${kind}:${warmupSteps}`;
}

function unknown(name: string, names: readonly string[]): string {
  const near = closestName(name, names);
  return near && near !== name ? `did you mean ${near}?` : "not one of them";
}

const refuser =
  (what: string, word: string, forms: string) =>
  (why: string): NodeError =>
    new NodeError("CONFIG_INVALID", `${what} "${word}": ${why}; ${forms}`, { [what]: word });
