/** The learning rate of every local step: warm-up, then constant, linear to 0 or half a cosine to 0. */
import type { LearningRateSchedule } from "../../protocol/network-manifest.ts";

/** A full rate and how it rises and falls. */
export interface ScheduleSettings {
  /** The full rate. */
  readonly learningRate: number;
  /** Constant without a warm-up when absent. */
  readonly schedule?: LearningRateSchedule;
}

/**
 * The rate of local step t = 0, 1, … of n in all, w of them warm-up:
 * t < w:     rate (t + 1) / w, so that the first step already moves and step w - 1 has the full rate;
 * constant:  rate;
 * linear:    rate (1 - p);
 * cosine:    rate (1 + cos(pi p)) / 2,  with p = (t - w) / (n - w), at most 1.
 * Beyond the last of the n steps p stays 1: linear and cosine stand still there.
 * Source: Loshchilov and Hutter 2017, arXiv:1608.03983 for the cosine.
 */
export function learningRateAt(step: number, { learningRate, schedule }: ScheduleSettings, totalSteps: number): number {
  if (schedule === undefined) return learningRate;
  const { kind, warmupSteps } = schedule;
  if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  switch (kind) {
    case "constant":
      return learningRate;
    case "linear":
      return learningRate * (1 - progress);
    case "cosine":
      return (learningRate * (1 + Math.cos(Math.PI * progress))) / 2;
  }
}
