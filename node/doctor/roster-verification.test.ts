import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeEntry } from "../../protocol/membership/entry.ts";
import { RosterLog } from "../../protocol/membership/roster-log.ts";
import { signerIn } from "../data-directory/key.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { secretKeyOf, signerOf } from "../exchange/exchange.suite.ts";
import { admit, entryOf, genesisWith, NOW, revoke } from "../membership/membership.suite.ts";
import { createMembership, type RosterMembership } from "../membership/membership.ts";
import { actOnRoster, type MembersAnswer, type RosterAction } from "../membership/roster-desk.ts";
import { ENTRY_PREFIX, readStored, rebuildRoster } from "../membership/roster-store.ts";
import { operate } from "../peer/operator.ts";
import { takeLock } from "../system/files/lock-file.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { watchRequestInbox } from "../system/files/request-inbox.ts";
import { openStore } from "../system/files/store.ts";
import { createOfflineTransport } from "../system/network/offline-transport.ts";
import { silentLogger } from "../system/network/transport.suite.ts";
import { createNativeVerifier } from "../system/platform/ed25519.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { verifyMembers, verifyStoredRoster } from "./roster-verification.ts";

const verify = createNativeVerifier();
const genesis = genesisWith({}, 2);
const clock = createVirtualClock(NOW * 1000);
const first = entryOf(genesis, admit(signerOf(5).peer));
const entries = [first, entryOf(genesis, revoke(signerOf(4).peer), { parents: [first.id] })];

let dataDirectory: string;
const ends: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), "weft-verification-"));
  await writeFile(dataDirectoryLayout(dataDirectory).key, secretKeyOf(1), { mode: 0o600 });
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await rm(dataDirectory, { recursive: true });
});

/** What a running peer has open: lock, store, roster and request inbox. */
async function run() {
  const { lock: path, store: folder, requestInbox } = dataDirectoryLayout(dataDirectory);
  const lock = await takeLock(path);
  const store = await openStore(folder);
  const signer = signerOf(1);
  const transport = createOfflineTransport(signer.peer);
  const membership = await createMembership(
    { transport, store, clock, logger: silentLogger, signer, verify },
    { genesis },
  );
  const asked: RosterAction[] = [];
  const desk = { membership, clock, self: signer.peer, connected: () => [], signerOf: signerIn };
  let meanwhile = (_: RosterAction): void => {};
  // It looks more often than it need, so that the tests are short.
  const inboxClock = { now: clock.now, after: (_: number, work: () => void) => createSystemClock().after(5, work) };
  const watched = await watchRequestInbox(requestInbox, { clock: inboxClock, logger: silentLogger }, (request) => {
    const action = request as RosterAction;
    asked.push(action);
    meanwhile(action);
    return actOnRoster(desk, action);
  });
  ends.push(
    () => lock.release(),
    () => store.close(),
    () => membership.stop(),
    () => watched.stop(),
  );
  return { membership, store, asked, onAsked: (listener: typeof meanwhile) => void (meanwhile = listener) };
}
const know = ({ roster }: RosterMembership, ...some: typeof entries): void => {
  for (const entry of some) expect(roster.add(encodeEntry(entry)).outcome).toBe("added");
};
const options = () => ({ dataDirectory, genesis });
const members = async (): Promise<MembersAnswer> => (await operate({ kind: "members" }, options())) as MembersAnswer;

describe("a roster that is rebuilt while its peer runs", () => {
  it("is rebuilt from the stored bytes, in this process, and is what the peer says", async () => {
    const { membership, asked } = await run();
    know(membership, ...entries);
    const { log, problems } = await verifyStoredRoster(options());
    expect(asked).toEqual([{ kind: "entries", from: 0 }]);
    expect(problems).toEqual([]);
    expect(log.digest).toBe(membership.roster.log.state().digest);
    expect(log.entries.map(({ id }) => id)).toEqual(entries.map(({ id }) => id));
    const { answer, problems: none } = await verifyMembers(members, options());
    expect(none).toEqual([]);
    expect(answer).toMatchObject({ entryCount: 2, removed: [{ peer: signerOf(4).peer }] });
  });

  it("shows what was changed on disk, what is missing there, and what the peer says besides", async () => {
    const { membership, store } = await run();
    know(membership, ...entries);
    await membership.roster.written();
    const [key, bytes] = [`${ENTRY_PREFIX}00000000`, encodeEntry(first)];
    const changed = bytes.slice();
    changed[changed.length - 1]! ^= 1;
    await store.batch([{ put: key, value: changed }]);
    expect((await verifyStoredRoster(options())).problems).toEqual([
      expect.stringContaining("entry 0: roster entry: the signature of"),
      "entry 1: an entry that it follows is missing",
      expect.stringContaining("the running peer has another roster"),
    ]);
    await store.batch([{ delete: `${ENTRY_PREFIX}00000001` }, { put: key, value: bytes }]);
    expect((await verifyMembers(members, options())).problems).toEqual(
      ["members", "removed", "heads", "entryCount", "digest"].map((name) => `the peer says something else of ${name}`),
    );
    const lie = async () => ({ ...(await members()), policy: { ...(await members()).policy, threshold: 1 } });
    await store.batch([{ put: `${ENTRY_PREFIX}00000001`, value: encodeEntry(entries[1]!) }]);
    expect((await verifyMembers(lie, options())).problems).toEqual(["the peer says something else of policy"]);
  });

  it("is compared with what the peer says once both have heard of the same", async () => {
    const { membership, asked, onAsked } = await run();
    know(membership, first);
    onAsked(({ kind }) => {
      if (kind === "entries" && asked.length === 2) know(membership, entries[1]!);
    });
    const { answer, problems } = await verifyMembers(members, options());
    expect([problems, answer.entryCount]).toEqual([[], 2]);
    expect(asked.map(({ kind }) => kind)).toEqual(["members", "entries", "members", "entries"]);
  });

  it("takes no place that is none", async () => {
    await run();
    for (const from of [-1, 0.5, "0", null]) {
      await expect(operate({ kind: "entries", from } as never, options())).rejects.toMatchObject({
        code: "NOT_ALLOWED",
      });
    }
  });
});

describe("a roster whose peer does not run", () => {
  it("is rebuilt from the files", async () => {
    const { lock: path, store: folder } = dataDirectoryLayout(dataDirectory);
    const store = await openStore(folder);
    await store.batch(entries.map((entry, i) => ({ put: `${ENTRY_PREFIX}0000000${i}`, value: encodeEntry(entry) })));
    await store.close();
    expect(await verifyStoredRoster(options())).toMatchObject({ problems: [], log: { entries: [{}, {}] } });
    await (await takeLock(path)).release();
  });
});

it("entries are read so many bytes at a time, one at least, and come to the same roster", async () => {
  const store = createMemoryStore();
  await store.batch(entries.map((entry, i) => ({ put: `${ENTRY_PREFIX}0000000${2 * i}`, value: encodeEntry(entry) })));
  const froms: number[] = [];
  const read = async (from: number) => {
    froms.push(from);
    return { ...(await readStored(store, { from, bytesMax: 1 })), digest: undefined };
  };
  const { log, refused } = await rebuildRoster(read, { genesis, verify });
  expect([froms, refused]).toEqual([[0, 2], []]);
  const whole = new RosterLog(genesis, { verify });
  for (const entry of entries) whole.add(encodeEntry(entry), NOW);
  expect(log.state()).toEqual(whole.state());
  expect(await readStored(store, { from: 0, end: 2 })).toMatchObject({ entries: [{ place: 0 }], next: undefined });
  expect(await readStored(store, { from: 3 })).toEqual({ entries: [], next: undefined });
});
