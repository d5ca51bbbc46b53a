/** libp2p knows identities of several kinds of key; a peer of weft has an Ed25519 key. */
import type { PeerId as Libp2pPeerId } from "@libp2p/interface";
import { asPeerId, type PeerId } from "../../../protocol/peer-id.ts";

/** The peer id of an identity; undefined when its key is of another kind. */
export const peerOf = (id: Pick<Libp2pPeerId, "toString">): PeerId | undefined => asPeerId(id.toString());
