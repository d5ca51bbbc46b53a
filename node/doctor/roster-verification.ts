/**
 * What a data directory holds of a roster, rebuilt in this process from the genesis alone: on the bytes of its store, which a
 * running peer reads out where there is one, because nobody else can open it meanwhile.
 */
import { openDirectory } from "../data-directory/open.ts";
import { type LogAnswer, logAnswer, type MembersAnswer, rosterFacts } from "../membership/roster-desk.ts";
import { type RebuiltRoster, readStored, rebuildRoster, type StoredEntries } from "../membership/roster-store.ts";
import { askRunningPeer, type OperatorOptions, withRoster } from "../peer/operator.ts";
import { createNativeVerifier } from "../system/platform/ed25519.ts";

/** A roster rebuilt, and what is wrong with what was there. */
export interface RosterVerification {
  /** The rebuilt roster's entries. */
  readonly log: LogAnswer;
  /** What does not hold, in words; nothing when all of it does. */
  readonly problems: readonly string[];
}

/**
 * Rebuild the roster, and hold against it what the running peer says.
 * Throws: ProtocolError GENESIS_INVALID; NodeError STORE_FAILED, TIMEOUT, DATA_DIRECTORY.
 */
export async function verifyStoredRoster(options: OperatorOptions): Promise<RosterVerification> {
  const { log, refused, claimed } = await rebuild(options);
  const rebuilt = logAnswer(log);
  const isOther = claimed !== undefined && claimed !== rebuilt.digest;
  const problem = `the running peer has another roster: digest ${claimed?.slice(0, 16)}`;
  return { log: rebuilt, problems: [...refused, ...(isOther ? [problem] : [])] };
}

/** Looks at a roster that grows meanwhile. */
const TRIES = 5;

/**
 * Rebuild the roster, and hold an answer about members against it, field by field; `ask` gives the answer.
 * Throws: as verifyStoredRoster.
 */
export async function verifyMembers(
  ask: () => Promise<MembersAnswer>,
  options: OperatorOptions,
): Promise<{ readonly answer: MembersAnswer; readonly problems: readonly string[] }> {
  for (let left = TRIES; ; left--) {
    const answer = await ask();
    const { log, refused } = await rebuild(options);
    const facts = rosterFacts(log.state());
    // An entry came between the two.
    if (facts.digest !== answer.digest && left > 1 && refused.length === 0) continue;
    const told = { ...answer, members: answer.members.map(({ standing, isConnected, label, ...member }) => member) };
    // As text: the answer may have travelled as JSON. Both were made by rosterFacts, so fields stand in one order.
    const differ = (Object.keys(facts) as (keyof typeof facts)[]).filter(
      (name) => JSON.stringify(facts[name]) !== JSON.stringify(told[name]),
    );
    return { answer, problems: [...refused, ...differ.map((name) => `the peer says something else of ${name}`)] };
  }
}

async function rebuild(options: OperatorOptions): Promise<RebuiltRoster> {
  const { dataDirectory, genesis } = options;
  const context = { genesis, verify: createNativeVerifier() };
  return await withRoster(options, {
    ofPeer: (timeoutMs) => rebuildRoster((from) => askForEntries(from, { ...options, timeoutMs }), context),
    ofFiles: async () => {
      const directory = await openDirectory(dataDirectory);
      try {
        const store = await directory.store();
        // Nobody claims anything: what the files come to is what the peer will hold.
        return await rebuildRoster(
          async (from) => ({ ...(await readStored(store, { from })), digest: undefined }),
          context,
        );
      } finally {
        await directory.close();
      }
    },
  });
}

async function askForEntries(from: number, options: OperatorOptions): Promise<StoredEntries> {
  const answer = await askRunningPeer({ kind: "entries", from }, options);
  if (answer.kind !== "entries") throw new TypeError(`an answer about ${answer.kind} to a question about entries`);
  const entries = answer.entries.map(({ place, base64 }) => ({
    place,
    bytes: new Uint8Array(Buffer.from(base64, "base64")),
  }));
  return { entries, next: answer.next ?? undefined, digest: answer.digest };
}
