/**
 * How long a roster takes to rebuild from its entries: `npm run bench:roster [members] [entries]`. A thousand members and five
 * thousand entries may take two seconds of processor time; more ends it with status 1.
 */
import { createSigner, type Signer } from "../../protocol/envelope.ts";
import { createEntry, type EntryId, encodeEntry, type Statement, signEntry } from "../../protocol/membership/entry.ts";
import { createGenesis, type Genesis, signGenesis } from "../../protocol/membership/genesis.ts";
import { RosterLog } from "../../protocol/membership/roster-log.ts";
import { POLICY_DEFAULTS } from "../../protocol/membership/settings.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import { peerIdFromPublicKey } from "../../protocol/peer-id.ts";
import { createNativeVerifier } from "../system/platform/ed25519.ts";

const START = 1_800_000_000;
/** Processor time for 1,000 members and 5,000 entries. */
const SECONDS_MAX = 2;
const THREE_ADMINS = [11, 12, 13].map((n) => createSigner(new Uint8Array(32).fill(n)));

/** A roster's genesis and the entries that it is rebuilt from. */
export interface RosterHistory {
  readonly genesis: Genesis;
  readonly entries: readonly Uint8Array[];
}

/**
 * A history of `members` admissions and, up to `entries`, renewals, role changes and revocations, each signed by two of three
 * admins; every tenth entry is concurrent with the one before it.
 */
export function rosterHistory(
  manifest: NetworkManifest,
  size: { readonly members: number; readonly entries: number; readonly admins?: readonly Signer[] },
): RosterHistory {
  const { admins = THREE_ADMINS } = size;
  const founders = admins.map(({ peer }) => ({ peer, role: "admin" as const }));
  const membership = { kind: "roster" as const, founders, threshold: 2, policy: POLICY_DEFAULTS };
  const genesis = admins.reduce(signGenesis, createGenesis({ ...manifest, membership }));
  const id = networkId(genesis.manifest);
  const entries: Uint8Array[] = [];
  let heads: readonly EntryId[] = [];
  let before: readonly EntryId[] = [];
  for (let i = 0; i < size.entries; i++) {
    const by: readonly Signer[] = [admins[i % 3]!, admins[(i + 1) % 3]!];
    const isBranch = i % 10 === 9;
    const parents = isBranch ? before : heads;
    const unsigned = createEntry({
      networkId: id,
      parents,
      author: by[0]!.peer,
      signers: by.map(({ peer }) => peer),
      sequence: i,
      issuedAt: START + i,
      statement: statementAt(i, size.members),
    });
    const entry = by.reduce(signEntry, unsigned);
    entries.push(encodeEntry(entry));
    before = heads;
    heads = isBranch ? [...heads, entry.id] : [entry.id];
  }
  return { genesis, entries };
}

/** Seconds of processor time that a new log needs for all entries and the state. */
export function rebuildSeconds({ genesis, entries }: RosterHistory, verify: VerifySignature): number {
  const start = process.cpuUsage();
  const log = new RosterLog(genesis, { verify });
  for (const bytes of entries) {
    const result = log.add(bytes, START + entries.length);
    if (result.outcome !== "added") throw new Error(`an entry was not added: ${JSON.stringify(result)}`);
  }
  if (log.state().entryCount !== entries.length) throw new Error("entries are missing");
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

function statementAt(i: number, members: number): Statement {
  const key = new Uint8Array(32).fill(1);
  new DataView(key.buffer).setUint32(0, i % members);
  const subject = peerIdFromPublicKey(key);
  const terms = { subject, role: "trainer" as const, notBefore: START + i, notAfter: START + i + 86_400 };
  if (i < members) return { kind: "admit", ...terms };
  if (i % 20 === 19) return { kind: "revoke", subject, reason: "left" };
  if (i % 20 === 7) return { kind: "admit", ...terms, role: "observer" };
  return { kind: "admit", ...terms };
}

if (import.meta.main) {
  const { EXAMPLE_MANIFEST } = await import("../../protocol/vectors/example-network.ts");
  const [members = 1000, entries = 5000] = process.argv.slice(2).map(Number);
  const history = rosterHistory(EXAMPLE_MANIFEST, { members, entries });
  const seconds = rebuildSeconds(history, createNativeVerifier());
  console.log(`${members} members, ${entries} entries: rebuilt in ${seconds.toFixed(2)} s of processor time`);
  if (members <= 1000 && entries <= 5000 && seconds > SECONDS_MAX) {
    console.error(`that is more than ${SECONDS_MAX} s`);
    process.exitCode = 1;
  }
}
