/** Why a peer cannot take part, in words for its operator. */
import type { PeerId } from "../../protocol/peer-id.ts";
import { NodeError } from "../errors.ts";
import type { Standing } from "../interface/membership.ts";

/** MEMBERSHIP_ENDED or NOT_ALLOWED, with what to do; of a member without a role it says what it says of a stranger. */
export function standingError(standing: Standing, peer: PeerId): NodeError {
  const facts = { peer, standing };
  switch (standing) {
    case "expired":
      return new NodeError("MEMBERSHIP_ENDED", "this peer's membership is over; ask an admin to renew it", facts);
    case "removed":
      return new NodeError("MEMBERSHIP_ENDED", "this peer was removed from the network by its admins", facts);
    case "early":
      return new NodeError("NOT_ALLOWED", "this peer's membership has not begun; look at the machine's clock", facts);
    case "stranger":
    case "member": {
      const text = `this peer (${peer}) is no member of the network`;
      return new NodeError("NOT_ALLOWED", text, { ...facts, problem: "stranger" });
    }
  }
}
