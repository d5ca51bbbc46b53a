/** A peer as a person reads of it: by what it calls itself, where that is known, and by the end of its id. */
import { type PeerNames, visibleText } from "../../node/index.ts";

/** What somebody calls itself, in quotes that it cannot end: others wrote it. */
export const labelText = (label: string): string => visibleText(JSON.stringify(label));

/** `"hospital 4" …x7Kq2P`: a peer may call itself anything, so the end of its id stands beside it. */
export const peerName = (names: PeerNames, peer: string, label: string | undefined): string =>
  withLabel(names.short(peer), label);

/** The same where the id is what somebody has to have, and stands whole. */
export const wholeName = (peer: string, label: string | undefined): string => withLabel(peer, label);

/** An address, and who is there. */
export const withName = (address: string, label: string | undefined): string =>
  label ? `${address} (${labelText(label)})` : address;

const withLabel = (id: string, label: string | undefined): string => (label ? `${labelText(label)} ${id}` : id);
