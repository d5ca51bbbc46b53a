/** The name that a newcomer gives itself is shown to admins: it hides nothing. */
import { afterEach, expect, it } from "vitest";
import { signerOf } from "../exchange/exchange.suite.ts";
import { patient, silentLogger } from "../system/network/transport.suite.ts";
import { createNativeVerifier } from "../system/platform/ed25519.ts";
import { askForAdmission } from "./admission.ts";
import { BOUNDS, createConsortium, inviteBy, requestLabelled } from "./membership.suite.ts";

const net = createConsortium();
afterEach(() => net.stop());

it.each([
  ["a terminal's escapes", "a\u001b[2Jb"],
  ["a C1 control character", "a\u009b31mb"],
  ["marks of direction", "a\u202eb\u2066c"],
  ["a line end", "a\nb"],
  ["more characters than there may be", "a".repeat(65)],
])("takes no request whose label has %s: it is told to nobody, kept nowhere, and in no log", async (_, label) => {
  const dave = signerOf(5);
  const admin = await net.up({ seed: 1 });
  const invite = inviteBy(net.genesis, admin.signer);
  const request = requestLabelled(label, invite, dave);
  expect(admin.membership.takeMessage({ kind: "request", body: request })).toMatchObject({ code: "MALFORMED" });
  const transport = net.hub.create({ logger: silentLogger }, { peer: dave.peer, ...BOUNDS });
  await transport.start();
  await transport.dial(admin.transport.addresses()[0]!, patient());
  const call = { peer: admin.signer.peer, timeoutMs: 30_000, signal: patient() };
  const asked = askForAdmission({ transport, clock: net.clock }, call, { request, verify: createNativeVerifier() });
  await expect(asked).rejects.toMatchObject({ code: expect.stringMatching(/STREAM_FAILED|FRAME_INVALID/) });
  await transport.stop();
  expect(admin.membership.proposals.pending()).toEqual([]);
  expect(JSON.stringify([admin.said, admin.events])).not.toContain(JSON.stringify(label).slice(1, -1));
  // The same label in plain letters is one.
  const plain = requestLabelled("a[2Jb", invite, dave);
  expect(admin.membership.takeMessage({ kind: "request", body: plain })).toMatchObject({ verdict: "accept" });
});
