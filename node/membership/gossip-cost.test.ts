import { expect, it } from "vitest";
import { signAnnouncement } from "../../protocol/announcement.ts";
import { contentIdOf } from "../../protocol/content-id.ts";
import type { MessageKind } from "../../protocol/envelope.ts";
import { judgeRules } from "../../protocol/judge-context.ts";
import { maySend } from "../../protocol/membership/roles.ts";
import { judgeAnnouncement } from "../../protocol/verdict.ts";
import { signerOf } from "../exchange/exchange.suite.ts";
import { createNativeVerifier } from "../system/platform/ed25519.ts";
import { createConsortium } from "./membership.suite.ts";

/** Enough that the first ones, which are compiled, do not count. */
const ANNOUNCEMENTS = 400;

it("judges an announcement by the roster in half a millisecond of processor time", async () => {
  const net = createConsortium();
  const { membership } = await net.up({ seed: 1 });
  const author = signerOf(4);
  const rules = judgeRules(net.genesis.manifest);
  const context = {
    ...rules,
    self: signerOf(1).peer,
    isMember: (peer: typeof author.peer) => membership.roleOf(peer) !== undefined,
    maySend: (peer: typeof author.peer, kind: MessageKind) => maySend(membership.roleOf(peer), kind),
    verify: createNativeVerifier(),
    headOf: () => undefined,
    round: 0,
  };
  const messages = Array.from({ length: ANNOUNCEMENTS }, (_, i) => {
    const contentId = contentIdOf(Uint8Array.of(i, i >> 8));
    const fields = { networkId: rules.networkId, round: 0, sequence: i, contentId, bytesLength: 100 };
    return signAnnouncement(fields, author);
  });
  const judge = (bytes: Uint8Array) => judgeAnnouncement(bytes, context).code;
  for (const bytes of messages) expect(judge(bytes)).toBe("ACCEPTED");
  const before = process.cpuUsage();
  for (const bytes of messages) judge(bytes);
  const { user, system } = process.cpuUsage(before);
  const milliseconds = (user + system) / 1000 / ANNOUNCEMENTS;
  await net.stop();
  expect(milliseconds).toBeLessThan(0.5);
  console.info(`announcement judged in ${milliseconds.toFixed(3)} ms of processor time`);
}, 120_000);
