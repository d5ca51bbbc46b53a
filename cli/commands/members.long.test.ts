/** The roster as an operator handles it where no peer runs: with a threshold of one, so that one directory decides. */
import { cp, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { signerOf } from "../../node/exchange/exchange.suite.ts";
import { requestLabelled } from "../../node/membership/membership.suite.ts";
import { switchNetwork } from "../../node/peer/switch-network.ts";
import { openStore } from "../../node/system/files/store.ts";
import { createLogger } from "../../node/system/platform/log.ts";
import { statementDigest } from "../../protocol/membership/entry.ts";
import { parseGenesis } from "../../protocol/membership/genesis.ts";
import { parseInvite } from "../../protocol/membership/invite.ts";
import { weft } from "../command.suite.ts";
import { visibleText } from "../visible-text.ts";

const ADDRESS = "/ip4/127.0.0.1/tcp/9000/p2p/12D3KooWJ5S8jFTxnXvDwR96GWP7jWiianGGTe2k26zVC7nDtxWL";
let folder: string;
let alice: string;
let bob: string;
const at = (name: string): string => join(folder, name);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-members-"));
  alice = (await weft(["init", "--data-dir", at("alice")])).out.trim();
  bob = (await weft(["init", "--data-dir", at("bob")])).out.trim();
  await writeFile(at("founders.txt"), `${alice} admin\n${bob} trainer\n`);
  const file = ["--members", at("founders.txt"), "--threshold", "1", "--out", at("network.json")];
  await weft(["network", "create", "--adapter", "loreft:r1:f1", ...file]);
  await weft(["network", "sign", at("network.json"), "--data-dir", at("alice")]);
  for (const name of ["alice", "bob"]) await weft(["init", "--data-dir", at(name), "--network", at("network.json")]);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const members = (...words: readonly string[]) => weft(["members", ...words, "--data-dir", at("alice")]);
const json = async (...words: readonly string[]) => JSON.parse((await members(...words, "--json")).out);

describe("weft members", () => {
  it("lists founders and the policy, and says that nothing waits", async () => {
    const { out } = await members("list");
    expect(out).toMatch(new RegExp(`${alice} +– +admin +no end +member +this peer, founder`));
    expect(out).toMatch(new RegExp(`${bob} +– +trainer +no end`));
    expect(out).toContain("The signature of 1 admin is needed for every change.");
    expect(await json("list")).toMatchObject({ self: { peer: alice, role: "admin" }, entryCount: 0, removed: [] });
    expect((await members("pending")).out).toBe("nothing waits\n");
  });

  it("revokes, and keeps it in a log that is rebuilt from the genesis alone", async () => {
    const revoked = await members("revoke", bob, "--reason", "left");
    expect(revoked).toMatchObject({ code: 0, err: expect.stringContaining("decided") });
    expect(revoked.out).toContain(`revoke ${bob} (left)`);
    expect((await members("list")).out).toContain(`${bob} removed: left`);
    const log = await members("log", "--verify");
    expect(log).toMatchObject({ code: 0, out: expect.stringMatching(/1 entry, digest [0-9a-f]{16}: rebuilt from/) });
    expect(await json("log", "--verify")).toMatchObject({
      isRight: true,
      entries: [{ kind: "revoke", author: alice, signers: [alice], statement: { subject: bob, reason: "left" } }],
    });
    const again = await members("revoke", bob);
    expect(again).toMatchObject({ code: 2, out: "", err: expect.stringContaining("is no member") });
    // With a removed key nobody joins: it is told at once, before anybody is asked.
    const link = (await weft(["network", "invite", "--data-dir", at("alice"), "--bootstrap", ADDRESS])).out.trim();
    await cp(at("alice/store"), at("bob/store"), { recursive: true });
    const back = await weft(["join", link, "--data-dir", at("bob")]);
    expect(back).toMatchObject({
      code: 4,
      err: expect.stringMatching(/removed from the network.*new --data-dir and a new invite/),
    });
  });

  it("shows no hidden characters of a request's label, in pending, list and log", async () => {
    // As a member would keep it whose program does not look at labels.
    const label = "a\u001b[2J\u009b31m\u202eb\u2066c";
    const text = (await weft(["network", "invite", "--data-dir", at("alice"), "--bootstrap", ADDRESS])).out.trim();
    const seconds = Math.floor(Date.now() / 1000);
    const [evil, plain] = [signerOf(8), signerOf(9)];
    const store = await openStore(at("alice/store"));
    for (const [name, words, by] of [
      ["evil", label, evil],
      ["plain", "an honest name", plain],
    ] as const) {
      const value = requestLabelled(words, parseInvite(text), by, seconds);
      await store.batch([{ put: `roster/note/request/${name}`, value }]);
    }
    await store.close();
    for (const words of [["pending"], ["pending", "--json"], ["list"], ["log"]]) {
      const { out, err } = await members(...words);
      expect(visibleText(out + err), words.join(" ")).toBe(out + err);
    }
    const { out } = await members("pending");
    expect(out).toContain('calls itself "an honest name"');
    expect(out).not.toContain("2J");
  });

  it("shows what a member called itself, and takes that and the end of an id for its name", async () => {
    const text = (await weft(["network", "invite", "--data-dir", at("alice"), "--bootstrap", ADDRESS])).out.trim();
    const dave = signerOf(9);
    const store = await openStore(at("alice/store"));
    const value = requestLabelled("hospital 4", parseInvite(text), dave, Math.floor(Date.now() / 1000));
    await store.batch([{ put: "roster/note/request/dave", value }]);
    await store.close();
    expect((await members("approve", dave.peer)).code).toBe(0);
    // A second window that approves the same learns that it is so already; who is named by the id has no motion any more.
    const [decided] = (await json("log")).entries;
    expect(decided).toMatchObject({ kind: "admit" });
    const motion = statementDigest(decided.statement);
    for (const name of [motion, motion.slice(0, 12)]) {
      const again = await members("approve", name);
      expect(again).toMatchObject({
        code: 0,
        err: expect.stringContaining("decided"),
        out: expect.stringContaining(dave.peer),
      });
    }
    expect(await members("approve", "00000000")).toMatchObject({
      code: 2,
      err: expect.stringContaining("weft members pending"),
    });
    expect((await members("list")).out).toMatch(new RegExp(`${dave.peer} +"hospital 4" +trainer`));
    const named = expect.objectContaining({ peer: dave.peer, label: "hospital 4" });
    expect((await json("list")).members).toContainEqual(named);
    expect(await members("list", "--verify")).toMatchObject({ code: 0 });
    const expired = await members("expire", `…${dave.peer.slice(-6)}`, "--at", "30d");
    expect(expired.out).toContain(`the membership of "hospital 4" ${dave.peer} ends`);
    for (const nobody of ["hospital 5", dave.peer.slice(-3), "12D3KooW"]) {
      expect(await members("revoke", nobody)).toMatchObject({ code: 2, err: expect.stringContaining("no member has") });
    }
    expect((await members("revoke", "hospital 4")).out).toContain(`revoke "hospital 4" ${dave.peer}`);
    // Who is no member any more keeps its name in what is shown of it.
    expect((await members("list")).out).toContain(`"hospital 4" ${dave.peer} removed: other`);
    const log = (await members("log")).out;
    for (const words of ["admit", "the membership of", "revoke"])
      expect(log).toContain(`${words} "hospital 4" ${dave.peer}`);
    expect(await json("list")).toMatchObject({ labels: { [dave.peer]: "hospital 4" }, removed: [{ peer: dave.peer }] });
  });

  it("takes no label for a name that a second member could be meant by, and none where rights are given", async () => {
    const invite = ["network", "invite", "--data-dir", at("alice"), "--uses", "3", "--bootstrap", ADDRESS];
    const text = (await weft(invite)).out.trim();
    const labelled = ["kiel", "k1el", "jena"] as const;
    const store = await openStore(at("alice/store"));
    for (const [i, label] of labelled.entries()) {
      const issuedAt = Math.floor(Date.now() / 1000);
      const value = requestLabelled(label, parseInvite(text), signerOf(30 + i), issuedAt);
      await store.batch([{ put: `roster/note/request/${i}`, value }]);
    }
    await store.close();
    const approve = async (i: number) => expect((await members("approve", signerOf(30 + i).peer)).code).toBe(0);
    await approve(0);
    expect((await members("pending")).out).toContain(`CAREFUL ${signerOf(30).peer} calls itself "kiel"`);
    await approve(1);
    await approve(2);
    const several = expect.stringMatching(/several members may be meant by "kiel".*name one of them/);
    expect(await members("revoke", "kiel")).toMatchObject({ code: 2, err: several });
    const chosen = { code: 2, err: expect.stringContaining("chose the label") };
    expect(await members("promote", "jena", "--role", "admin")).toMatchObject(chosen);
  });

  it("promotes, within what the policy grants", async () => {
    expect((await members("promote", bob, "--role", "admin", "--lasts", "30d")).code).toBe(0);
    const { members: all } = await json("list");
    const [found] = all.filter(({ peer }: { peer: string }) => peer === bob);
    expect(found).toMatchObject({ role: "admin", isFounder: false });
    expect(found.notAfter - found.notBefore).toBe(30 * 86_400);
    const tooLong = await members("promote", bob, "--lasts", "400d");
    expect(tooLong).toMatchObject({ code: 2, err: expect.stringContaining("give an earlier end") });
  });

  it("ends a membership at a time, which can be made longer again, and only sooner than it would end", async () => {
    const expired = await members("expire", bob, "--at", "30d");
    expect(expired).toMatchObject({ code: 0, err: expect.stringContaining("decided") });
    expect(expired.out).toMatch(new RegExp(`the membership of ${bob} ends \\d{4}-`));
    const end = async () => (await json("list")).members.find(({ peer }: { peer: string }) => peer === bob).notAfter;
    expect(Math.abs((await end()) - Date.now() / 1000 - 30 * 86_400)).toBeLessThan(60);
    const until = new Date((await end()) * 1000).toISOString().slice(0, 16).replace("T", " ");
    expect((await members("list")).out).toMatch(new RegExp(`${bob} +– +trainer +${until} UTC +member`));
    expect((await members("log")).out).toContain(`the membership of ${bob} ends ${until} UTC; signed by 1`);
    const later = await members("expire", bob, "--at", "60d");
    expect(later).toMatchObject({ code: 2, err: expect.stringContaining("weft members promote makes it longer") });
    expect((await members("expire", bob)).code).toBe(0);
    expect(Math.abs((await end()) - Date.now() / 1000)).toBeLessThan(60);
    expect((await members("promote", bob, "--lasts", "40d")).code).toBe(0);
    expect((await end()) - Date.now() / 1000).toBeGreaterThan(39 * 86_400);
  });

  it("takes no end that is over, that is no date, that the policy does not grant, or of somebody who is no member", async () => {
    const refused = async (who: string, at: string, words: string) =>
      expect(await members("expire", who, "--at", at), at).toMatchObject({
        code: 2,
        out: "",
        err: expect.stringContaining(words),
      });
    await refused(bob, "2020-01-31", "2020-01-31 00:00 UTC is over");
    for (const no of ["2027-02-30", "tomorrow", "2027-13-01", "30", "2027-01-01T25:00"])
      await refused(bob, no, "expected a date");
    await refused(bob, "2100-01-01T12:00", "give an earlier end");
    await refused(ADDRESS.split("/").at(-1)!, "1d", "is no member");
    expect((await json("list")).entryCount).toBe(0);
  });

  it("changes the policy, which needs as many admins as it asks for", async () => {
    expect((await members("policy", "--approval", "invite", "--membership-lasts", "12h")).code).toBe(0);
    expect((await json("list")).policy).toMatchObject({ threshold: 1, approval: "invite", certificateSeconds: 43_200 });
    const tooHigh = await members("policy", "--threshold", "2");
    expect(tooHigh).toMatchObject({ code: 4, out: "", err: expect.stringContaining("cannot be reached by 1 admins") });
    expect((await json("list")).policy.threshold).toBe(1);
  });

  it("tells who raises the threshold that it holds for what follows", async () => {
    expect((await members("promote", bob, "--role", "admin", "--lasts", "30d")).code).toBe(0);
    const raised = await members("policy", "--threshold", "2", "--without-quorum");
    expect(raised).toMatchObject({ code: 0, err: expect.stringContaining("on a branch from before with 1") });
    expect((await json("list")).policy.threshold).toBe(2);
  });

  it("lets nobody decide who is no admin, and nothing that is not there", async () => {
    const notAdmin = await weft(["members", "revoke", alice, "--data-dir", at("bob")]);
    expect(notAdmin).toMatchObject({ code: 4, out: "", err: expect.stringContaining("only an admin") });
    const nothing = await members("approve", "0123456789ab");
    expect(nothing).toMatchObject({ code: 2, err: expect.stringContaining("weft members pending") });
    expect(await members("revoke", "alice")).toMatchObject({
      code: 2,
      err: expect.stringContaining("list shows them"),
    });
    await weft(["network", "create", "--adapter", "loreft:r1:f1", "--out", at("open.json")]);
    await weft(["init", "--data-dir", at("carol"), "--network", at("open.json")]);
    const open = await weft(["members", "list", "--data-dir", at("carol")]);
    expect(open).toMatchObject({ code: 2, err: expect.stringContaining("open network, which has no roster") });
    expect(await weft(["members", "list", "--data-dir", at("nobody")])).toMatchObject({ code: 2, out: "" });
  });
});

describe("weft network invite", () => {
  const invite = (...words: readonly string[]) => weft(["network", "invite", "--data-dir", at("alice"), ...words]);

  it("prints one line that holds its terms and where to ask", async () => {
    const made = await invite("--role", "observer", "--uses", "3", "--expires", "1h", "--bootstrap", ADDRESS);
    expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^weft1[0-9a-z]+\n$/) });
    const { ticket, addresses } = parseInvite(made.out.trim());
    expect(ticket).toMatchObject({ role: "observer", uses: 3, issuer: alice });
    expect(Math.abs(ticket.notAfter - Date.now() / 1000 - 3600)).toBeLessThan(60);
    expect(addresses).toEqual([ADDRESS]);
    // Two invites are two secrets.
    expect((await invite("--bootstrap", ADDRESS)).out).not.toBe((await invite("--bootstrap", ADDRESS)).out);
  });

  it("is of admins only, and needs an address", async () => {
    expect(await invite()).toMatchObject({ code: 2, err: expect.stringContaining("give --bootstrap") });
    const bobs = await weft(["network", "invite", "--data-dir", at("bob"), "--bootstrap", ADDRESS]);
    expect(bobs).toMatchObject({ code: 4, out: "", err: expect.stringContaining("only an admin invites") });
  });
});

describe("weft join", () => {
  const join_ = (text: string, ...words: readonly string[]) => weft(["join", text, "--data-dir", at("dave"), ...words]);

  it("refuses an invite that is mistyped, over, or of another network, before it dials anybody", async () => {
    const { out } = await weft(["network", "invite", "--data-dir", at("alice"), "--bootstrap", ADDRESS]);
    const text = out.trim();
    const mistyped = await join_(text.slice(0, -1) + (text.endsWith("q") ? "p" : "q"));
    expect(mistyped).toMatchObject({ code: 2, err: expect.stringContaining("its checksum is wrong") });
    expect(await join_("hello")).toMatchObject({ code: 2, out: "" });
    await weft(["network", "create", "--adapter", "loreft:r1:f1", "--seed", "3", "--out", at("open.json")]);
    await weft(["init", "--data-dir", at("dave"), "--network", at("open.json")]);
    expect(await join_(text)).toMatchObject({ code: 2, err: expect.stringContaining("belongs to another network") });
  });
});

describe("weft network propose", () => {
  it("writes a successor that is linked by hash, and that admins agree to", async () => {
    const file = at("successor.json");
    const flags = ["--at-round", "30", "--rounds", "60", "--learning-rate", "0.001", "--out", file];
    const proposed = await weft(["network", "propose", "--data-dir", at("alice"), ...flags]);
    expect(proposed).toMatchObject({ code: 0, err: expect.stringContaining("decided") });
    const before = JSON.parse((await weft(["network", "show", at("network.json"), "--json"])).out);
    const next = JSON.parse((await weft(["network", "show", file, "--json"])).out);
    expect(next.manifest).toEqual({
      ...before.manifest,
      rounds: { ...before.manifest.rounds, count: 60 },
      training: { ...before.manifest.training, learningRate: 0.001 },
      succeeds: { network: before.network, first: before.network, round: 30 },
    });
    expect((await json("list")).succession).toMatchObject({ network: next.network, round: 30 });
    expect((await weft(["network", "show", file])).out).toContain("the roster agrees to it");
    expect((await weft(["network", "verify", file])).code).toBe(0);
  });

  it("says so, and nothing else, of what is decided already, also where the peer has gone over to it; and goes on from there", async () => {
    const file = at("successor.json");
    const propose = async (round: string) =>
      await weft(["network", "propose", "--data-dir", at("alice"), "--at-round", round, "--out", file]);
    const isDecided = { code: 0, err: expect.stringContaining("decided") };
    const sign = async () => await weft(["network", "sign", file, "--data-dir", at("alice")]);
    expect(await propose("30")).toMatchObject(isDecided);
    expect(await sign()).toMatchObject(isDecided);
    const genesis = parseGenesis(await readFile(at("network.json"), "utf8"));
    const { manifest: next } = parseGenesis(await readFile(file, "utf8"));
    const logger = createLogger({ level: "error" });
    await switchNetwork(at("alice"), { genesis, before: genesis.manifest, next }, { logger });
    expect(await sign()).toMatchObject(isDecided);
    expect((await json("list")).entryCount).toBe(1);
    expect(await propose("40")).toMatchObject(isDecided);
    expect((await json("list")).succession).toMatchObject({ round: 40 });
  });

  it("needs a round, and an admin", async () => {
    const noRound = await weft(["network", "propose", "--data-dir", at("alice")]);
    expect(noRound).toMatchObject({ code: 2, err: expect.stringContaining("--at-round") });
    const flags = ["--at-round", "9", "--out", at("successor.json")];
    const bobs = await weft(["network", "propose", "--data-dir", at("bob"), ...flags]);
    expect(bobs).toMatchObject({ code: 4, out: "", err: expect.stringContaining("only an admin") });
    // The file is there: an admin may take it up.
    const signed = await weft(["network", "sign", at("successor.json"), "--data-dir", at("alice")]);
    expect(signed).toMatchObject({ code: 0, out: expect.stringContaining("from round 9 on") });
  });
});

describe("weft keys rotate", () => {
  it("gives the membership to a new key, which takes the old one's place once the roster has agreed", async () => {
    const rotate = () => weft(["keys", "rotate", "--without-quorum", "--data-dir", at("alice"), "--json"]);
    const first = await rotate();
    expect(JSON.parse(first.out)).toMatchObject({ isDecided: true, statement: { kind: "rotate", replaces: alice } });
    const next = JSON.parse(first.out).statement.subject;
    expect((await weft(["init", "--data-dir", at("alice")])).out.trim()).toBe(alice);
    const oldKey = await readFile(at("alice/key"));
    expect(JSON.parse((await rotate()).out)).toEqual({ peer: next, replaces: alice });
    expect((await weft(["init", "--data-dir", at("alice")])).out.trim()).toBe(next);
    expect(await readFile(at("alice/key"))).not.toEqual(oldKey);
    await expect(stat(at("alice/key.next"))).rejects.toMatchObject({ code: "ENOENT" });
    expect(await json("list")).toMatchObject({
      self: { peer: next, role: "admin" },
      removed: [{ peer: alice, reason: "rotated", successor: next }],
    });
    // The new key governs, and the next rotation begins anew.
    expect((await members("revoke", bob)).code).toBe(0);
    expect(JSON.parse((await rotate()).out)).toMatchObject({ statement: { kind: "rotate", replaces: next } });
  });
});
