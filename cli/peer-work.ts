/** What a running peer does at the moment, as work with a count. */
import type { NetworkManifest, PeerNews, WorkTeller } from "../node/index.ts";
import { formatLoss } from "../testnet/words/text-table.ts";

/** Between two rounds there is no step. */
const [TRAINING, LOOKING] = ["training", "looking for peers"] as const;

/** Tells of a peer's steps, and that it looks for neighbours. */
export function tellPeerWork(event: PeerNews, { rounds }: NetworkManifest, tell: WorkTeller): void {
  switch (event.type) {
    case "step": {
      const alone = event.phase === "alone" ? " alone, to compare" : "";
      const note = `round ${event.round + 1} of ${rounds.count}${alone}, loss ${formatLoss(event.loss)}`;
      tell({ what: TRAINING, done: event.step, total: event.steps, unit: "steps", note });
      break;
    }
    case "alone":
      tell({ what: LOOKING, done: 0 });
      break;
    case "company":
      tell(event.change === "lost" ? { what: LOOKING, done: 0 } : { what: LOOKING, isOver: true });
      break;
    case "round":
    case "paused":
    case "finished":
      tell({ what: TRAINING, isOver: true });
      break;
  }
}
