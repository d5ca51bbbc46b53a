/** A consortium from its first file to a revocation: two admins and a newcomer, real processes; the long one has the rest. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Consortium, createConsortium, WAITING } from "./consortium.suite.ts";

let net: Consortium;
beforeEach(async () => {
  net = await createConsortium({ parts: 3 });
});
afterEach(() => net.stop());

it("is founded, signed, joined by invite and approval, trains, and cuts off whom it revokes", {
  timeout: 300_000,
}, async () => {
  for (const name of ["alice", "bob", "carol"]) await net.init(name);
  await net.found({
    founders: ["alice admin", "bob admin"],
    signers: ["alice", "bob"],
    flags: ["--rounds", "100000", "--threshold", "2"],
  });
  const alice = net.start("alice");
  await expect.poll(() => alice.of("started").length, WAITING).toBe(1);
  const bob = net.start("bob", "--bootstrap", alice.address());
  await expect.poll(() => bob.neighbours(), WAITING).toBe(1);

  // The invite's text is all that carol gets; her key was made on her machine.
  const invite = await net.invite("alice", [alice], "--role", "trainer", "--expires", "1h");
  const carol = net.startWith("carol", ["join", invite, "--label", "hospital-3"]);
  const pending = async (name: string) =>
    (await net.json<{ motions: { request?: { label: string; fingerprint: string } }[] }>(name, "members", "pending"))
      .motions;
  await expect.poll(async () => (await pending("bob")).length, WAITING).toBe(1);
  expect((await pending("bob"))[0]!.request).toMatchObject({ label: "hospital-3" });
  await net.approve("carol", "bob");
  expect((await net.held("alice")).members).toEqual({ alice: "admin", bob: "admin" });
  await net.approve("carol", "alice");

  await expect.poll(() => carol.of("started").length, WAITING).toBe(1);
  const all = await net.everybodyHolds({ members: { alice: "admin", bob: "admin", carol: "trainer" }, removed: {} });
  expect(all.digest).toMatch(/^[0-9a-f]{64}$/);
  for (const peer of [alice, bob]) {
    await expect.poll(() => peer.acceptedFrom("carol").length, WAITING).toBeGreaterThanOrEqual(1);
  }
  await expect.poll(() => carol.acceptedFrom("alice").length, WAITING).toBeGreaterThanOrEqual(1);

  expect((await net.weft("bob", "members", "revoke", net.idOf("carol"), "--reason", "left")).code).toBe(0);
  expect((await net.held("alice")).removed).toEqual({});
  await net.approve("carol", "alice");
  // She is cut off by each of them, told or not.
  for (const peer of [alice, bob]) await expect.poll(() => peer.neighbours(), WAITING).toBe(1);
  await expect.poll(() => carol.neighbours(), WAITING).toBe(0);
  await carol.stop();
  await net.everybodyHolds({ members: { alice: "admin", bob: "admin" }, removed: { carol: "left" } });
  // What they hold was signed by both, and follows from the genesis alone, whether the peer runs or not.
  await bob.stop();
  for (const name of ["alice", "bob"]) {
    expect(await net.weft(name, "members", "log", "--verify")).toMatchObject({
      code: 0,
      out: expect.stringContaining("2 entries"),
    });
  }
});
