/** A real membership says of greetings, messages and streams what the vectors say, and accepts no changed one. */
import { bytesToHex } from "@noble/hashes/utils.js";
import { afterEach, describe, expect, it } from "vitest";
import { ProtocolError } from "../../protocol/errors.ts";
import { decodeFrame, encodeFrame } from "../../protocol/frame.ts";
import { answerHello } from "../../protocol/handshake.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { readAdmissionReply } from "../../protocol/membership/admission.ts";
import { canonicalGenesisBytes } from "../../protocol/membership/genesis.ts";
import { decodeRosterMessage, encodeRosterMessages } from "../../protocol/membership/roster-message.ts";
import { networkIdToBytes } from "../../protocol/network-id.ts";
import { STREAM_PROTOCOLS, type StreamProtocol } from "../../protocol/stream-protocols.ts";
import {
  type ConversationVector,
  isAccepted,
  REQUEST,
  signedParts,
} from "../../protocol/vectors/conversation-outcome.ts";
import { conversationVectors } from "../../protocol/vectors/conversation-vectors.ts";
import { EXAMPLE_GENESIS, ROSTER_ID, ROSTER_MANIFEST } from "../../protocol/vectors/example-roster.ts";
import { membershipVectors, vectorBytes } from "../../protocol/vectors/membership-vectors.ts";
import { fuzz, fuzzTarget, mutations } from "../../protocol/vectors/mutation.ts";
import { signerOf } from "../exchange/exchange.suite.ts";
import { collect } from "../exchange/impostor.suite.ts";
import type { Transport } from "../interface/transport.ts";
import { patient, silentLogger } from "../system/network/transport.suite.ts";
import { createNativeVerifier } from "../system/platform/ed25519.ts";
import { BOUNDS, type Consortium, connect, createConsortium, digestOf, type Member } from "./membership.suite.ts";
import type { MembershipLimits } from "./membership-limits.ts";

const verify = createNativeVerifier();
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
/** The receiver of the vectors, which knows the genesis and nothing else. */
async function receiver(membership: Partial<MembershipLimits> = {}): Promise<Receiver> {
  const net = createConsortium(EXAMPLE_GENESIS);
  ends.push(() => net.stop());
  return { ...(await net.up({ seed: 1, membership })), net };
}
type Receiver = Member & { readonly net: Consortium };

type Sent = Pick<ConversationVector, "message" | "from">;
function outcomeAt({ membership }: Member, { message, from }: Sent, bytes: Uint8Array): string {
  try {
    if (message === "note") {
      const { verdict, code } = membership.takeMessage(decodeRosterMessage(bytes));
      return verdict === "accept" ? "accepted" : code;
    }
    const roster = { judge: membership.judgeShown.bind(membership), heads: membership.heads.bind(membership) };
    return answerHello(bytes, from, { manifest: ROSTER_MANIFEST, isMember: () => false, busy: false, roster }).code;
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

const vectors = conversationVectors().filter(({ message }) => message === "hello" || message === "note");
const originals = vectors
  .filter((one) => isAccepted(one) && one.isSigned)
  .map((one) => ({ ...one, bytes: vectorBytes(one) }));

describe("a membership", () => {
  it("says of every greeting and note what its vector says", async () => {
    for (const vector of vectors) {
      const member = await receiver();
      if (vector.name.includes("deni")) member.membership.takeMessage({ kind: "request", body: REQUEST });
      expect(outcomeAt(member, vector, vectorBytes(vector)), `${vector.message} ${vector.name}`).toBe(vector.expected);
    }
  });

  it("takes no changed note, and welcomes nobody but for what somebody signed", async () => {
    let member = await receiver();
    const signed = new Set(originals.flatMap((one) => signedParts(one, one.bytes)));
    const pool: Receiver[] = [];
    for (let i = 0; i < 40; i++) pool.push(await receiver());
    const target = fuzzTarget("membership", originals, (original, bytes) => {
      const outcome = outcomeAt(member, original, bytes);
      const isTaken = isAccepted({ expected: outcome });
      // It knows more now than the vectors are made for.
      if (isTaken) member = pool.pop() ?? expect.unreachable();
      return { outcome, isForged: isTaken && !signedParts(original, bytes).some((part) => signed.has(part)) };
    });
    const { outcomes } = fuzz(target, { cases: 600, seed: 2, verify });
    for (const code of ["MALFORMED", "SIGNATURE_INVALID", "FIELD_INVALID"])
      expect(outcomes[code], code).toBeGreaterThan(0);
  });
});

describe("the streams of a member", () => {
  async function visitor(seed: number, { net, ...victim }: Receiver): Promise<Transport> {
    const transport = net.hub.create({ logger: silentLogger }, { peer: signerOf(seed).peer, ...BOUNDS });
    ends.push(() => transport.stop());
    await transport.start();
    await transport.dial(victim.transport.addresses()[0]!, patient());
    return transport;
  }
  /** The message that answers one; undefined when there is none. */
  async function ask(from: Transport, protocol: StreamProtocol, message: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      const stream = await from.open(signerOf(1).peer, protocol, patient());
      const [answer] = await Promise.all([collect(stream.source), stream.sink([encodeFrame(message)])]);
      return answer.length === 0 ? undefined : decodeFrame(answer, LIMITS.genesisBytesMax)?.message;
    } catch {
      return undefined;
    }
  }
  const request = { message: "request", name: "by an invite", bytes: REQUEST };
  const about = (stream: string) => ({ cases: 120, seed: 3, stream });

  it("give the genesis to nobody with a changed request, and a manifest to no stranger", async () => {
    // More than so many in a while are not answered; a stranger's visit is over after that.
    const member = await receiver({ requestsPerWindowMax: 1_000 });
    const stranger = await visitor(6, member);
    for (const { bytes } of mutations([request], about("genesis"))) {
      expect((await ask(stranger, STREAM_PROTOCOLS.genesis, bytes)) ?? [], bytesToHex(bytes)).toHaveLength(0);
    }
    expect((await ask(stranger, STREAM_PROTOCOLS.genesis, networkIdToBytes(ROSTER_ID))) ?? []).toHaveLength(0);
    expect(await ask(stranger, STREAM_PROTOCOLS.genesis, REQUEST)).toEqual(canonicalGenesisBytes(EXAMPLE_GENESIS));
  });

  it("take up no changed request of admission", async () => {
    const member = await receiver({ requestsPerWindowMax: 1_000 });
    const stranger = await visitor(6, member);
    const codes = new Set<string>();
    for (const { bytes } of mutations([request], about("admission"))) {
      const answer = await ask(stranger, STREAM_PROTOCOLS.admission, bytes);
      if (answer === undefined) continue;
      const reply = readAdmissionReply(answer, verify);
      codes.add(reply.code === "denied" ? reply.reason : reply.code);
    }
    expect(codes).toContain("SIGNATURE_INVALID");
    expect([...codes]).not.toContain("pending");
    expect(member.membership.proposals.pending()).toEqual([]);
  });

  it("survive every changed inventory of a member, whose roster stays as it was", async () => {
    const member = await receiver();
    const other = await member.net.up({ seed: 5 });
    await connect(other, member);
    const founder = other.transport;
    const before = digestOf(member);
    const inventory = membershipVectors().find(({ name }) => name === "two names")!;
    let answered = 0;
    for (const { bytes } of mutations([{ ...inventory, bytes: vectorBytes(inventory) }], about("roster"))) {
      // More than so many in a while are not answered.
      member.net.clock.advance(2_000);
      const answer = await ask(founder, STREAM_PROTOCOLS.roster, bytes);
      if (answer !== undefined) answered++;
    }
    expect(answered).toBeGreaterThan(0);
    expect(await ask(founder, STREAM_PROTOCOLS.roster, vectorBytes(inventory))).toEqual(encodeRosterMessages([]));
    expect(digestOf(member)).toBe(before);
  });
});
