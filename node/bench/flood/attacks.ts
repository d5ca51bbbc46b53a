/**
 * Attacks on the resources of one peer: connections that say nothing, work that costs the sender little, bytes that never
 * come. Each runs until its signal is aborted and says how much of it was taken and how much was refused.
 */
import { randomBytes } from "node:crypto";
import { connect as connectTo } from "node:net";
import { setTimeout as pause, setImmediate as turn } from "node:timers/promises";
import { encodeAddresses } from "../../../protocol/addresses.ts";
import { readAnnouncement, signAnnouncement } from "../../../protocol/announcement.ts";
import { encodeBlobHeader, encodeBlobRequest } from "../../../protocol/blob.ts";
import { contentIdFromBytes } from "../../../protocol/content-id.ts";
import { FEATURES } from "../../../protocol/features.ts";
import { encodeFrame } from "../../../protocol/frame.ts";
import { encodeHello } from "../../../protocol/handshake.ts";
import { decodeHeads, encodeHeads } from "../../../protocol/heads.ts";
import { LIMITS } from "../../../protocol/limits.ts";
import { createAdmissionRequest } from "../../../protocol/membership/admission.ts";
import { parseInvite } from "../../../protocol/membership/invite.ts";
import { type NetworkManifest, networkId } from "../../../protocol/network-manifest.ts";
import { STREAM_PROTOCOLS } from "../../../protocol/stream-protocols.ts";
import { createNativeSigner } from "../../system/platform/ed25519.ts";
import { Neighbour, type NeighbourOptions } from "./neighbour.ts";

/** Whom to attack. */
export interface Target {
  /** A multiaddr of TCP that ends in the peer's id. */
  readonly address: string;
  readonly manifest: NetworkManifest;
  /** Of a network with a roster: an unused invite for one peer. */
  readonly invite: string | undefined;
  /** Of the peers' newest news. */
  readonly round: number;
  readonly signal: AbortSignal;
}

/** What the target did: acts that it took, and those that it refused, cut off or left unanswered. */
export interface AttackCount {
  taken: number;
  refused: number;
}

/** One attack. */
export type Attack = (target: Target, count: AttackCount) => Promise<void>;

/** Time for one act; and to greet before the first one, on a machine that others load. */
const ACT_MS = 5_000;
const ENTER_MS = 30_000;

/** Every attack by its name. */
export const ATTACKS = {
  "silent-sockets": silentSockets,
  "fresh-keys": freshKeys,
  "old-heads": oldHeads,
  "empty-heads": emptyHeads,
  "long-hellos": longHellos,
  "never-served": neverServed,
  "slow-providers": slowProviders,
  "garbage-gossip": garbageGossip,
  "large-requests": largeRequests,
  "longest-messages": longestMessages,
  "many-keys": manyKeys,
  "hearsay-addresses": hearsayAddresses,
  "admission-requests": admissionRequests,
  "strangers-of-a-roster": freshKeys,
} as const satisfies Readonly<Record<string, Attack>>;

/** Attacks on a network with a roster, by its admin's peer. */
export const OF_ROSTERS: readonly (keyof typeof ATTACKS)[] = ["admission-requests", "strangers-of-a-roster"];

/** 140 sockets, opened again whenever one is closed, that say nothing. */
async function silentSockets({ address, signal }: Target, count: AttackCount): Promise<void> {
  const port = Number(/\/tcp\/(\d+)/.exec(address)?.[1]);
  const one = (): Promise<void> =>
    new Promise((resolve) => {
      const socket = connectTo({ host: "127.0.0.1", port }).resume();
      const began = performance.now();
      socket.on("error", () => {});
      socket.on("close", () => {
        // Shown out at once, or let wait.
        if (performance.now() - began < 1_000) count.refused++;
        else count.taken++;
        resolve();
      });
      signal.addEventListener("abort", () => socket.destroy(), { once: true });
    });
  await side(140, signal, async () => {
    await one();
    await pause(20);
  });
}

/** Sixteen at a time dial with a new key each, never greet, and stay as long as they may. */
function freshKeys(target: Target, count: AttackCount): Promise<void> {
  return withFreshKeys(16, target, count);
}

/** The same by a hundred, all of one address. */
function manyKeys(target: Target, count: AttackCount): Promise<void> {
  return withFreshKeys(100, target, count);
}

async function withFreshKeys(width: number, target: Target, count: AttackCount): Promise<void> {
  await side(width, target.signal, async () => {
    await withNeighbour(target, {}, async (neighbour) => {
      await act(count, target, (signal) => neighbour.dial(target.address, signal));
      while (neighbour.isConnected() && !target.signal.aborted) await pause(50);
    });
  });
}

/** A neighbour sends heads of 1,024 announcements of the first round, each of another author and well signed, without end. */
async function oldHeads(target: Target, count: AttackCount): Promise<void> {
  const announcements = Array.from({ length: LIMITS.headsCountMax }, () => announced(target, { round: 0 }));
  const message = encodeHeads(announcements);
  await entered(4, target, {}, async (neighbour) => {
    await act(count, target, (signal) => neighbour.ask({ protocol: STREAM_PROTOCOLS.heads, message, signal }));
  });
}

/** Neighbours ask for heads and tell none, as fast as they are answered, four at a time. */
async function emptyHeads(target: Target, count: AttackCount): Promise<void> {
  const message = encodeHeads([]);
  await entered(8, target, {}, async (neighbour) => {
    await act(count, target, (signal) => neighbour.ask({ protocol: STREAM_PROTOCOLS.heads, message, signal }));
  });
}

/** Strangers and neighbours greet with manifests of 1.8 MB. */
async function longHellos(target: Target, count: AttackCount): Promise<void> {
  const tensors = Array.from({ length: LIMITS.tensorCountMax }, (_, index) => ({
    name: `${index}`.padEnd(LIMITS.nameLengthMax, "x"),
    shape: [1, 1],
  }));
  const long: NetworkManifest = { ...target.manifest, tensors };
  const message = encodeHello(long, undefined, FEATURES);
  await side(4, target.signal, async () => {
    await withNeighbour(target, {}, async (neighbour) => {
      await act(count, target, (signal) => neighbour.dial(target.address, signal));
      while (neighbour.isConnected() && !target.signal.aborted) {
        await act(count, target, (signal) => neighbour.ask({ protocol: STREAM_PROTOCOLS.handshake, message, signal }));
      }
    });
  });
}

/** Eight neighbours announce updates of the round, and say nothing when they are asked for the bytes. */
async function neverServed(target: Target, count: AttackCount): Promise<void> {
  let asked = 0;
  const onBlob = async (): Promise<void> => {
    asked++;
    await pause(60_000, undefined, { signal: target.signal }).catch(() => {});
  };
  await side(8, target.signal, async () => {
    const seed = new Uint8Array(randomBytes(32));
    let told: readonly Uint8Array[] = [];
    await withNeighbour(target, { seed, onBlob, heads: () => told }, async (neighbour) => {
      await act(count, target, (signal) => neighbour.enter(target.address, signal));
      for (let news = 0; neighbour.isConnected() && !target.signal.aborted; news++) {
        told = [announced(target, { seed, round: target.round + news, sequence: news, bytesLength: 1_000 })];
        const message = encodeHeads(told);
        await act(count, target, (signal) => neighbour.ask({ protocol: STREAM_PROTOCOLS.heads, message, signal }));
        await pause(500);
      }
    });
  });
  count.refused += asked;
}

/** Eight neighbours pass on what honest authors announce, and then hand out a byte a second. */
async function slowProviders(target: Target, count: AttackCount): Promise<void> {
  const onBlob: NeighbourOptions["onBlob"] = async (stream) => {
    const slowly = async function* (): AsyncGenerator<Uint8Array> {
      yield encodeFrame(encodeBlobHeader({ status: "found", length: 1_000 }));
      while (!target.signal.aborted) {
        yield new Uint8Array(1);
        await pause(1_000);
      }
    };
    await stream.sink(slowly());
  };
  await entered(8, target, { onBlob }, async (neighbour) => {
    const protocol = STREAM_PROTOCOLS.heads;
    const answer = await act(count, target, (signal) => neighbour.ask({ protocol, message: encodeHeads([]), signal }));
    if (answer === undefined || answer.byteLength < 4) return;
    const message = encodeHeads(decodeHeads(answer.subarray(4)));
    await act(count, target, (signal) => neighbour.ask({ protocol, message, signal }));
    await pause(1_000);
  });
}

/** Neighbours gossip random bytes, and announcements whose signatures do not hold, as fast as they go out. */
async function garbageGossip(target: Target, count: AttackCount): Promise<void> {
  await entered(4, target, {}, async (neighbour) => {
    const bytes = announced(target, { round: target.round });
    // Every second one has the form of an announcement.
    if (count.taken % 2 === 0) bytes[bytes.length - 1]! ^= 1;
    else crypto.getRandomValues(bytes);
    await act(count, target, () => neighbour.gossip(bytes));
    await pause(1);
  });
}

/** Neighbours ask for the peer's own update again and again, sixteen streams at a time, and read none of them. */
async function largeRequests(target: Target, count: AttackCount): Promise<void> {
  await entered(4, target, {}, async (neighbour) => {
    const [protocol, message] = [STREAM_PROTOCOLS.heads, encodeHeads([])];
    const heads = await act(count, target, (signal) => neighbour.ask({ protocol, message, signal }));
    if (heads === undefined || heads.byteLength < 5) return;
    const [first] = decodeHeads(heads.subarray(4));
    if (first === undefined) return;
    const request = encodeFrame(encodeBlobRequest(readAnnouncement(first).contentId));
    const unread = async (): Promise<void> => {
      await act(count, target, async (signal) => {
        const stream = await neighbour.open(STREAM_PROTOCOLS.blob, signal);
        await stream.sink([request]);
        await pause(200);
        stream.abort(new Error("not read"));
      });
    };
    for (let turn = 0; turn < 20 && !target.signal.aborted; turn++)
      await Promise.all(Array.from({ length: 16 }, unread));
  });
}

/** Neighbours send noise, as long as each protocol takes, on all of them in turn. */
async function longestMessages(target: Target, count: AttackCount): Promise<void> {
  const { heads, addresses, blob, checkup, handshake } = STREAM_PROTOCOLS;
  await entered(4, target, {}, async (neighbour) => {
    for (const protocol of [heads, addresses, blob, checkup, handshake]) {
      const message = randomBytes(protocol.bytesMax.opened);
      await act(count, target, (signal) => neighbour.ask({ protocol, message, signal }));
    }
  });
}

/** Neighbours tell of 128 addresses that lead nowhere, as often as they may and more often. */
async function hearsayAddresses(target: Target, count: AttackCount): Promise<void> {
  await entered(8, target, {}, async (neighbour) => {
    const addresses = Array.from({ length: LIMITS.addressesCountMax }, () => {
      const { peer } = createNativeSigner(new Uint8Array(randomBytes(32)));
      return `/ip4/127.0.0.1/tcp/${1 + Math.floor(Math.random() * 1000)}/p2p/${peer}`;
    });
    const message = encodeAddresses(addresses);
    await act(count, target, (signal) => neighbour.ask({ protocol: STREAM_PROTOCOLS.addresses, message, signal }));
    await pause(20);
  });
}

/** Strangers with new keys ask for admission by one invite, eight at a time, sixteen requests a visit. */
async function admissionRequests(target: Target, count: AttackCount): Promise<void> {
  const invite = parseInvite(target.invite ?? "");
  await side(8, target.signal, async () => {
    const seed = new Uint8Array(randomBytes(32));
    await withNeighbour(target, { seed }, async (neighbour) => {
      await neighbour.dial(target.address, AbortSignal.any([target.signal, AbortSignal.timeout(ACT_MS)]));
      for (let turn = 0; turn < 16 && neighbour.isConnected() && !target.signal.aborted; turn++) {
        const terms = { label: `flood ${turn}`, issuedAt: Math.floor(Date.now() / 1000) - turn };
        const message = createAdmissionRequest(invite, terms, createNativeSigner(seed));
        await act(count, target, (signal) => neighbour.ask({ protocol: STREAM_PROTOCOLS.admission, message, signal }));
      }
    });
  });
}

/** A signed announcement of bytes that nobody has, by a key of its own where none is given. */
function announced(
  { manifest }: Pick<Target, "manifest">,
  fields: {
    readonly round: number;
    readonly sequence?: number;
    readonly seed?: Uint8Array;
    readonly bytesLength?: number;
  },
): Uint8Array {
  const { round, sequence = 0, seed = new Uint8Array(randomBytes(32)), bytesLength = 1_000 } = fields;
  const contentId = contentIdFromBytes(new Uint8Array(randomBytes(32)));
  const update = { networkId: networkId(manifest), round, sequence, contentId, bytesLength };
  return new Uint8Array(signAnnouncement(update, createNativeSigner(seed)));
}

/** Do something that the target may refuse; undefined where it did. */
async function act<Result>(
  count: AttackCount,
  { signal }: Target,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result | undefined> {
  try {
    const result = await work(AbortSignal.any([signal, AbortSignal.timeout(ACT_MS)]));
    count.taken++;
    return result;
  } catch {
    // The end of the attack is nobody's refusal.
    if (!signal.aborted) count.refused++;
    return undefined;
  }
}

/** So many neighbours that have greeted do this again and again; one that is cut off comes back with a new key. */
async function entered(
  width: number,
  target: Target,
  options: Partial<NeighbourOptions>,
  work: (neighbour: Neighbour) => Promise<void>,
): Promise<void> {
  await side(width, target.signal, async () => {
    await withNeighbour(target, options, async (neighbour) => {
      await neighbour.enter(target.address, AbortSignal.any([target.signal, AbortSignal.timeout(ENTER_MS)]));
      while (neighbour.isConnected() && !target.signal.aborted) {
        await work(neighbour);
        // What fails at once never lets a timer come, that of the attack's end among them.
        await turn();
      }
    });
  });
}

async function withNeighbour(
  { manifest }: Target,
  options: Partial<NeighbourOptions>,
  work: (neighbour: Neighbour) => Promise<void>,
): Promise<void> {
  const neighbour = await Neighbour.start({ manifest, seed: new Uint8Array(randomBytes(32)), ...options });
  try {
    await work(neighbour);
  } finally {
    await neighbour.stop();
  }
}

/** The same work so many times at once, over and over until the signal; what fails is tried again a moment later. */
async function side(width: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  const again = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await work();
      } catch {
        await pause(200);
      }
    }
  };
  await Promise.all(Array.from({ length: width }, again));
}
