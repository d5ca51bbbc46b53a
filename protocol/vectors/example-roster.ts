/** A small network with a roster, from fixed seeds: three founding admins of whom two are needed, and their entries. */
import { createSigner, type Signer } from "../envelope.ts";
import {
  createEntry,
  type Entry,
  type EntryId,
  type Statement,
  signEntry,
  statementDigest,
} from "../membership/entry.ts";
import { createGenesis, type Genesis, signGenesis } from "../membership/genesis.ts";
import { POLICY_DEFAULTS } from "../membership/settings.ts";
import { type NetworkManifest, networkId } from "../network-manifest.ts";
import type { PeerId } from "../peer-id.ts";
import { ALICE, BOB, EXAMPLE_MANIFEST, exampleSecretKey, SELF } from "./example-network.ts";

/** Seconds since 1970 at which everything in the examples happens. */
export const NOW = 1_800_000_000;
/** Seconds of a day. */
export const DAY = 86_400;

/** Founders with the role trainer, and an invited peer. */
export const CAROL: Signer = createSigner(exampleSecretKey(5));
/** A peer that is no founder. */
export const DAVE: Signer = createSigner(exampleSecretKey(6));

/** The manifest of the example network with a roster. */
export const ROSTER_MANIFEST: NetworkManifest = {
  ...EXAMPLE_MANIFEST,
  membership: {
    kind: "roster",
    founders: [
      { peer: SELF.peer, role: "admin" },
      { peer: ALICE.peer, role: "admin" },
      { peer: BOB.peer, role: "admin" },
      { peer: CAROL.peer, role: "trainer" },
    ],
    threshold: 2,
    policy: POLICY_DEFAULTS,
  },
};

/** The id of that network. */
export const ROSTER_ID = networkId(ROSTER_MANIFEST);

/** Signed by two of its three admins. */
export const EXAMPLE_GENESIS: Genesis = signGenesis(signGenesis(createGenesis(ROSTER_MANIFEST), SELF), ALICE);

/** The unusual fields of an example entry. */
export interface Drawn {
  readonly parents?: readonly EntryId[];
  /** The first one is the author; SELF and ALICE unless said otherwise. */
  readonly by?: readonly Signer[];
  /** Drawn from the statement unless said otherwise, so that two statements have two numbers. */
  readonly sequence?: number;
  readonly issuedAt?: number;
}

/** An entry with all its signatures. */
export function signedEntry(statement: Statement, drawn: Drawn = {}): Entry {
  const { parents = [], by = [SELF, ALICE], issuedAt = NOW } = drawn;
  const sequence = drawn.sequence ?? Number.parseInt(statementDigest(statement).slice(0, 6), 16);
  const author = by[0]!.peer;
  const signers = by.map(({ peer }) => peer);
  const entry = createEntry({ networkId: ROSTER_ID, parents, author, signers, sequence, issuedAt, statement });
  return by.reduce(signEntry, entry);
}

/** A membership of thirty days from NOW. */
export const termsOf = (subject: PeerId, role: "trainer" | "observer" | "relay" | "admin" = "trainer") => ({
  subject,
  role,
  notBefore: NOW,
  notAfter: NOW + 30 * DAY,
});
