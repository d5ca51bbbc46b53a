/** Handlers of a topic as a transport keeps them, whatever its messages are. */
import type { PeerId } from "../../../protocol/peer-id.ts";
import type { GossipHandlers, GossipVerdict } from "../../interface/transport.ts";

/** Validates a message; `deliver` hands on what an accepted one says. */
export type BoundHandlers = (
  bytes: Uint8Array,
  from: PeerId,
) => { readonly verdict: GossipVerdict; readonly deliver?: () => void };

/** Tie what `validate` makes of a message to its delivery, so that the message is decoded once. */
export function boundHandlers<Message>({ validate, deliver }: GossipHandlers<Message>): BoundHandlers {
  return (bytes, from) => {
    const judgement = validate(bytes, from);
    if (judgement.verdict !== "accept") return judgement;
    return { verdict: "accept", deliver: () => deliver(judgement.message, from) };
  };
}
