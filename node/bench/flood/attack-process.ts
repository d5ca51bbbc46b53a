/** One attack in a process of its own, for as long as it is told: so that its work is not that of whoever measures. */

import { setTimeout as pause } from "node:timers/promises";
import type { NetworkManifest } from "../../../protocol/network-manifest.ts";
import { ATTACKS, type AttackCount } from "./attacks.ts";

/** The order to attack, as the message that begins it. */
export interface AttackOrder {
  readonly name: keyof typeof ATTACKS;
  readonly address: string;
  readonly manifest: NetworkManifest;
  readonly invite: string | undefined;
  readonly round: number;
  readonly durationMs: number;
}

process.once("message", (order: AttackOrder) => void attack(order));
// Whoever ordered it is gone.
process.once("disconnect", () => process.exit(0));

/** What the process tells: its first act was answered, and at the end how many were. */
export type AttackNews = { readonly kind: "began" } | ({ readonly kind: "ended" } & AttackCount);

async function attack({ name, durationMs, ...target }: AttackOrder): Promise<void> {
  const count: AttackCount = { taken: 0, refused: 0 };
  const tell = (news: AttackNews): void => void process.send?.(news);
  const end = new AbortController();
  // What the attack needs to begin, such as a thousand keys, is no part of it.
  const looking = setInterval(() => {
    if (count.taken + count.refused === 0) return;
    clearInterval(looking);
    tell({ kind: "began" });
    setTimeout(() => end.abort(), durationMs);
  }, 20);
  await Promise.race([ATTACKS[name]({ ...target, signal: end.signal }, count), late(end.signal)]);
  tell({ kind: "ended", ...count });
  process.disconnect();
}

/** What is still under way a moment after the end is not waited for. */
async function late(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  await pause(2_000);
}
