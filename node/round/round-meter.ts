/** The counts of a round: steps, losses, seconds, bytes and updates, also across restarts. */
import type { Clock } from "../interface/clock.ts";
import type { UpdateExchange } from "../interface/exchange.ts";
import type {
  Forgetting,
  ForgettingReport,
  PeerReport,
  PhaseSeconds,
  RoundSummary,
  UpdateCounts,
} from "../interface/peer-event.ts";
import type { TrainResult } from "../interface/trainer.ts";
import type { AggregatedRound } from "./aggregate-round.ts";
import type { EvaluationResult } from "./closing-evaluation.ts";
import type { BestScores } from "./forgetting.ts";
import { NO_PROGRESS, type RoundProgress } from "./peer-memory.ts";

type Phase = Exclude<keyof PhaseSeconds, "total">;
type Bytes = RoundProgress["bytes"];

/** Counts one round after another. */
export interface RoundMeter {
  /** Count the time of `work`, also when it fails. */
  during<T>(phase: Phase, work: () => Promise<T>): Promise<T>;
  begin(phase: Phase): void;
  /** Nothing when the phase was not begun. */
  end(phase: Phase): void;
  /** Bytes of this peer's own update of the round. */
  published(bytes: number): void;
  trained(steps: number, result: TrainResult): void;
  /** All that was counted in this round so far, phases that are still going on included. */
  progress(): RoundProgress;
  /** The round's counts; the next round begins. */
  takeRound(): RoundProgress;
}

/** initial: what was counted in this round before a restart. */
export function createRoundMeter(
  { clock, exchange }: { readonly clock: Clock; readonly exchange: Pick<UpdateExchange, "bytes" | "counts"> },
  initial: RoundProgress,
): RoundMeter {
  let known = initial;
  let since = { at: clock.now(), bytes: exchange.bytes(), updates: exchange.counts() };
  const open = new Map<Phase, number>();

  /** Move what has happened since the last look into what is known. */
  const look = (): void => {
    const now = { at: clock.now(), bytes: exchange.bytes(), updates: exchange.counts() };
    const seconds: Record<keyof PhaseSeconds, number> = { ...known.seconds };
    seconds.total += secondsBetween(since.at, now.at);
    for (const [phase, from] of open) {
      seconds[phase] += secondsBetween(from, now.at);
      open.set(phase, now.at);
    }
    const bytes = addBytes(known.bytes, now.bytes, since.bytes);
    known = { ...known, seconds, bytes, updates: addUpdates(known.updates, now.updates, since.updates) };
    since = now;
  };
  const end = (phase: Phase): void => {
    look();
    open.delete(phase);
  };
  const begin = (phase: Phase): void => {
    look();
    open.set(phase, clock.now());
  };
  return {
    begin,
    end,
    during: async (phase, work) => {
      begin(phase);
      try {
        return await work();
      } finally {
        end(phase);
      }
    },
    published: (updateBytes) => {
      known = { ...known, updateBytes };
    },
    trained: (steps, { losses, stepsSkipped }) => {
      const finite = losses.filter(Number.isFinite);
      known = {
        ...known,
        stepsDone: known.stepsDone + steps,
        stepsSkipped: known.stepsSkipped + stepsSkipped,
        lossSum: known.lossSum + finite.reduce((sum, loss) => sum + loss, 0),
        lossCount: known.lossCount + finite.length,
      };
    },
    progress: () => {
      look();
      return known;
    },
    takeRound: () => {
      look();
      const round = known;
      known = NO_PROGRESS;
      return round;
    },
  };
}

/** A held-out loss that a peer had before, in nats per token: the best after any round, in the first the mean of its steps'. */
export function expectedLossOf(
  { all: { loss } }: BestScores,
  { lossSum, lossCount }: Pick<RoundProgress, "lossSum" | "lossCount">,
): number {
  return Number.isFinite(loss) ? loss : lossSum / lossCount;
}

/** The summary of a finished round, from what was counted and what its aggregation came to. */
export function roundSummary(
  { seconds, bytes, updateBytes, updates, stepsSkipped, lossSum, lossCount }: RoundProgress,
  {
    round,
    aggregated: { lambda, lambdaCost, neighbours, stalenessMax, validation },
    forgetting: { loss, accuracy },
    deadlineMs,
  }: {
    readonly round: number;
    readonly aggregated: AggregatedRound;
    readonly forgetting: Forgetting;
    readonly deadlineMs: number;
  },
): RoundSummary {
  // NaN when no step of the round had a finite loss.
  const trainLoss = lossSum / lossCount;
  return {
    round,
    trainLoss,
    stepsSkipped,
    validationLoss: validation.loss,
    ...(validation.interval !== undefined && { validationInterval: validation.interval }),
    forgetting: { loss, accuracy },
    lambda,
    lambdaCost,
    neighbours,
    stalenessMax,
    bytes,
    updateBytes,
    seconds,
    updates,
    deadlineMs,
  };
}

/** Totals are those of the given rounds. */
export function peerReport(
  id: string,
  {
    evaluation,
    summaries,
    forgetting,
  }: {
    readonly evaluation: EvaluationResult;
    readonly summaries: readonly RoundSummary[];
    readonly forgetting: ForgettingReport;
  },
): PeerReport {
  const sum = (value: (summary: RoundSummary) => number): number => summaries.reduce((total, s) => total + value(s), 0);
  const { base, alone, aloneRounds, swarmScore } = evaluation;
  return {
    id,
    base,
    ...(alone === undefined ? {} : { alone }),
    ...(aloneRounds === undefined ? {} : { aloneRounds }),
    swarm: swarmScore,
    bytes: { sent: sum((s) => s.bytes.sent), received: sum((s) => s.bytes.received) },
    seconds: {
      train: sum((s) => s.seconds.train),
      network: sum((s) => s.seconds.network),
      aggregate: sum((s) => s.seconds.aggregate),
      total: sum((s) => s.seconds.total),
    },
    updates: {
      accepted: sum((s) => s.updates.accepted),
      ignored: sum((s) => s.updates.ignored),
      rejected: sum((s) => s.updates.rejected),
    },
    forgetting,
    rounds: summaries,
  };
}

/** A clock that was set back meanwhile counts as no time. */
const secondsBetween = (fromMs: number, toMs: number): number => Math.max(0, toMs - fromMs) / 1000;

const addBytes = (known: Bytes, now: Bytes, before: Bytes): Bytes => ({
  sent: known.sent + now.sent - before.sent,
  received: known.received + now.received - before.received,
});

const addUpdates = (known: UpdateCounts, now: UpdateCounts, before: UpdateCounts): UpdateCounts => ({
  accepted: known.accepted + now.accepted - before.accepted,
  ignored: known.ignored + now.ignored - before.ignored,
  rejected: known.rejected + now.rejected - before.rejected,
});
