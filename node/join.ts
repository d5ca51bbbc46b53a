/**
 * Joining a network by an invite: fetch the genesis from a member, ask for admission, and bring the roster into the data
 * directory, so that the peer can start. The private key stays where it is made.
 */
import { createSigner, type Signer } from "../protocol/envelope.ts";
import { LIMITS } from "../protocol/limits.ts";
import { type AdmissionReply, createAdmissionRequest, fingerprintOf } from "../protocol/membership/admission.ts";
import { decodeEntry, isGrant } from "../protocol/membership/entry.ts";
import { canonicalGenesisBytes, type Genesis } from "../protocol/membership/genesis.ts";
import { type Invite, parseInvite } from "../protocol/membership/invite.ts";
import type { PeerId } from "../protocol/peer-id.ts";
import { dataDirectoryLayout } from "./config.ts";
import { NodeError } from "./errors.ts";
import { askForAdmission, fetchGenesis } from "./membership/admission.ts";
import { CERTIFICATE_KEY, createMembership } from "./membership/membership.ts";
import { MEMBERSHIP_DEFAULTS } from "./membership/membership-limits.ts";
import { writeFileAtomic } from "./system/atomic-file.ts";
import { createNativeVerifier } from "./system/ed25519.ts";
import { readOrCreateKey } from "./system/key-file.ts";
import { createLibp2pTransport } from "./system/libp2p.ts";
import { takeLock } from "./system/lock-file.ts";
import { createLogger } from "./system/log.ts";
import { openStore } from "./system/store.ts";
import { createSystemClock } from "./system/system-clock.ts";

export interface JoinOptions {
  readonly dataDirectory: string;
  /** `weft1…` */
  readonly invite: string;
  /** What people at the admins are shown beside the fingerprint; hearsay. */
  readonly label?: string;
  /** Multiaddrs of members beside those in the invite. */
  readonly bootstrap?: readonly string[];
  readonly signal: AbortSignal;
}

/** A peer that is about to join; nothing of it is in the network before `ask`. */
export interface Joining {
  readonly invite: Invite;
  readonly peer: PeerId;
  /** For two people to compare by phone. */
  readonly fingerprint: string;
  /** From a member, of the network that the invite names, and signed by its founders. */
  readonly genesis: Genesis;
  /**
   * Ask once. After an admission the certificate, the roster and the genesis are in the data directory. May be asked again
   * after `MEMBERSHIP_DEFAULTS.candidateIntervalMs`.
   * Throws: NodeError DIAL_FAILED, STREAM_FAILED, TIMEOUT, NOT_ALLOWED (a member says admitted and shows something else).
   */
  ask(): Promise<AdmissionReply>;
  /** Ask until it is decided; resolves with what the admins said. Failures of single members are passed over. */
  wait(onReply: (reply: AdmissionReply) => void): Promise<AdmissionReply>;
  /** Idempotent. */
  close(): Promise<void>;
}

/**
 * Throws: ProtocolError INVITE_INVALID; NodeError DIAL_FAILED (no member answers), NOT_ALLOWED (the invite is not taken),
 * MANIFEST_MISMATCH, DATA_LOCKED, KEY_FILE.
 */
export async function joinNetwork(options: JoinOptions): Promise<Joining> {
  const { signal, label = "" } = options;
  const verify = createNativeVerifier();
  const invite = parseInvite(options.invite, verify);
  const layout = dataDirectoryLayout(options.dataDirectory);
  const { seed } = await readOrCreateKey(layout.key);
  const signer: Signer = createSigner(seed);
  const clock = createSystemClock();
  const logger = createLogger({ level: "warn", fields: { self: signer.peer } });
  const lock = await takeLock(layout.lock);
  const transport = await createLibp2pTransport(
    { logger, mayGossip: () => false },
    { seed, listen: [], connectionsMax: 4, streamsPerProtocolMax: 2, gossipBytesMax: LIMITS.rosterNoteBytesMax },
  );
  const close = async (): Promise<void> => {
    await transport.stop();
    await lock.release();
  };
  const addresses = [...invite.addresses, ...(options.bootstrap ?? [])];
  const request = (): Uint8Array =>
    createAdmissionRequest(invite, { label, issuedAt: Math.floor(clock.now() / 1000) }, signer);
  const network = invite.ticket.networkId;
  const timeoutMs = MEMBERSHIP_DEFAULTS.admissionTimeoutMs;
  /** The first member that answers `use`. */
  const anyMember = async <T>(use: (peer: string) => Promise<T>): Promise<T> => {
    let last: unknown;
    for (const address of addresses) {
      signal.throwIfAborted();
      try {
        const within = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
        return await use(await transport.dial(address, within));
      } catch (error) {
        last = error;
      }
    }
    if (last !== undefined) throw last;
    throw new NodeError("DIAL_FAILED", "the invite names no address; give --bootstrap with one of a member");
  };

  try {
    await transport.start();
    const first = request();
    const genesis = await anyMember((peer) =>
      fetchGenesis({ transport, clock }, { peer, timeoutMs, signal }, { request: first, network, verify }),
    );
    // One request for all times it is asked: a new one would be a new question to the admins.
    const ask = (): Promise<AdmissionReply> =>
      anyMember(async (peer) => {
        const reply = await askForAdmission(
          { transport, clock },
          { peer, timeoutMs, signal },
          { request: first, verify },
        );
        if (reply.code === "admitted") await settle(peer, reply.entry);
        return reply;
      });
    const settle = async (peer: string, certificate: Uint8Array): Promise<void> => {
      const { statement, networkId } = decodeEntry(certificate);
      if (!isGrant(statement) || statement.subject !== signer.peer || networkId !== network) {
        throw new NodeError("NOT_ALLOWED", "a member says that this peer is admitted, and shows another entry", {
          peer,
        });
      }
      const store = await openStore(layout.store);
      try {
        await store.batch([{ put: CERTIFICATE_KEY, value: certificate }]);
        const membership = await createMembership({ transport, store, clock, logger, signer, verify }, { genesis });
        await membership.pull(peer);
        const role = membership.roleOf(signer.peer);
        await membership.stop();
        if (role === undefined) {
          const text = "a member says that this peer is admitted, and its roster does not say so; ask another member";
          throw new NodeError("NOT_ALLOWED", text, { peer });
        }
      } finally {
        await store.close();
      }
      await writeFileAtomic(layout.genesis, canonicalGenesisBytes(genesis));
    };
    return {
      invite,
      peer: signer.peer,
      fingerprint: fingerprintOf(network, signer.peer),
      genesis,
      ask,
      async wait(onReply) {
        for (;;) {
          signal.throwIfAborted();
          const reply = await ask().catch((error: unknown) => {
            if (signal.aborted || (error instanceof NodeError && error.code === "NOT_ALLOWED")) throw error;
            logger.debug("a member did not answer", { error });
            return undefined;
          });
          if (reply !== undefined) {
            onReply(reply);
            if (reply.code !== "pending") return reply;
          }
          // A little more than members ask for, whose clocks run a little differently.
          await pause(MEMBERSHIP_DEFAULTS.candidateIntervalMs * 1.1);
        }
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = clock.after(ms, resolve);
      signal.addEventListener(
        "abort",
        () => {
          cancel();
          resolve();
        },
        { once: true },
      );
    });
  }
}
