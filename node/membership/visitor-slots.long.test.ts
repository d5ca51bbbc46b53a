/** Fresh keys that hold the places of visitors, over real connections: newcomers get in all the same. */
import { connect as connectTo, createServer, type Server } from "node:net";
import { afterEach, expect, it } from "vitest";
import { createAdmissionRequest } from "../../protocol/membership/admission.ts";
import { secretKeyOf, signerOf } from "../exchange/exchange.suite.ts";
import type { Logger } from "../interface/logger.ts";
import type { Transport } from "../interface/transport.ts";
import { createLibp2pTransport } from "../system/network/libp2p.ts";
import { createMemoryHub } from "../system/network/memory-transport.ts";
import type { ReachOptions } from "../system/network/reach.ts";
import { patient, silentLogger, until } from "../system/network/transport.suite.ts";
import { createNativeVerifier } from "../system/platform/ed25519.ts";
import { createSecureRandom } from "../system/platform/secure-random.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import { findNetwork, waitForAdmission } from "./candidate.ts";
import { BOUNDS, createMember, DAY, genesisWith, inviteBy, type Member } from "./membership.suite.ts";
import type { MembershipOptions, RosterMembership } from "./membership.ts";
import { MEMBERSHIP_DEFAULTS } from "./membership-limits.ts";

const { visitorsMax, visitorsPerOriginMax } = MEMBERSHIP_DEFAULTS;
const LOOPBACK = "/ip4/127.0.0.1/tcp/0";
const clock = createSystemClock();
const verify = createNativeVerifier();
const genesis = genesisWith();
const seconds = Math.floor(clock.now() / 1000);

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

async function member(
  seed: number,
  {
    membership,
    isOpen = false,
    ...reach
  }: { membership?: Partial<MembershipOptions>; isOpen?: boolean } & Partial<ReachOptions> = {},
): Promise<Member> {
  const transport = (secret: Uint8Array, logger: Logger, membership: () => RosterMembership | undefined) =>
    createLibp2pTransport(
      { logger, admits: (peer, origin) => isOpen || membership()?.admits(peer, origin) !== false },
      { seed: secret, listen: [LOOPBACK], connectionsMax: 64, ...BOUNDS, reach: { network: "", ...reach } },
    );
  const options = { seed, transport, ...(membership && { membership }) };
  const made = await createMember({ clock, hub: createMemoryHub(), genesis }, options);
  running.push(made);
  return made;
}

function freshSeed(): Uint8Array {
  const seed = new Uint8Array(32);
  createSecureRandom().fill(seed);
  return seed;
}

/** Somebody with a key of its own and nothing else. */
async function anybody(seed: Uint8Array = freshSeed()): Promise<Transport> {
  const made = await createLibp2pTransport(
    { logger: silentLogger },
    { seed, listen: [], connectionsMax: 64, ...BOUNDS },
  );
  running.push(made);
  await made.start();
  return made;
}

/** The address of a member, as it is reached from another address of this machine. */
async function from(localAddress: string, to: Member): Promise<string> {
  const address = to.transport.addresses()[0]!;
  const port = Number(/tcp\/(\d+)/.exec(address)?.[1]);
  const server: Server = createServer((inward) => {
    const outward = connectTo({ host: "127.0.0.1", port, localAddress });
    for (const [one, other] of [[inward, outward] as const, [outward, inward] as const]) {
      one.on("error", () => other.destroy()).on("close", () => other.destroy());
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  running.push({ stop: async () => void server.close() });
  const { port: own } = server.address() as { port: number };
  return address.replace(/tcp\/\d+/, `tcp/${own}`);
}

/** An attacker at an address: so many fresh keys that show nothing, and `more` ones as the first are shown out. */
async function cycle(address: string, keys: number, more: number): Promise<void> {
  let left = more;
  const one = async (): Promise<void> => {
    const attacker = await anybody();
    attacker.onDisconnect(() => {
      if (left-- > 0) void one();
    });
    await attacker.dial(address, patient()).catch(() => undefined);
  };
  await Promise.all(Array.from({ length: keys }, one));
}

/** Whether a newcomer with an invite is heard on its first visit. */
async function isHeard(address: string): Promise<string> {
  const transport = await anybody(secretKeyOf(5));
  const invite = inviteBy(genesis, signerOf(1), { notAfter: seconds + DAY });
  const request = createAdmissionRequest(invite, { label: "a newcomer", issuedAt: seconds }, signerOf(5));
  const turnedAway: string[] = [];
  const dependencies = { transport, clock, verify };
  const options = {
    ...{ invite, request, addresses: [address], signal: patient() },
    onUnreachable: (reason: string) => void turnedAway.push(reason),
  };
  const found = await findNetwork(dependencies, options);
  expect(turnedAway).toEqual([]);
  return await new Promise((resolve) => {
    void waitForAdmission(dependencies, {
      ...{ ...options, genesis: found.genesis },
      onWaiting: ({ kind }) => resolve(kind),
    }).catch(() => undefined);
  });
}

it("fresh keys of one address never hold more than a few places, and a newcomer gets in beside them", async () => {
  const admin = await member(1);
  await cycle(await from("127.0.0.2", admin), visitorsPerOriginMax + 2, 4);
  expect(admin.transport.connected().length).toBeLessThanOrEqual(visitorsPerOriginMax);
  expect(await isHeard(admin.transport.addresses()[0]!)).toBe("pending");
});

it("fresh keys of several addresses that hold all places make room for a newcomer from elsewhere", async () => {
  // All of them are there at the same time, however slow the machine is.
  const admin = await member(1, { membership: { visitSilenceMs: 15_000 } });
  const hosts = visitorsMax / visitorsPerOriginMax;
  for (let host = 0; host < hosts; host++) {
    await cycle(await from(`127.0.0.${2 + host}`, admin), visitorsPerOriginMax, 0);
  }
  await until(() => admin.transport.connected().length === visitorsMax);
  expect(await isHeard(admin.transport.addresses()[0]!)).toBe("pending");
});

it("fresh keys come through no honest relay; through one that carries anybody they have the places of one address", async () => {
  for (const isOpen of [false, true]) {
    const victim = await member(1, { throughRelays: true });
    const relay = await member(2, { relay: true, isOpen, membership: { visitSilenceMs: 15_000 } });
    await victim.transport.dial(relay.transport.addresses()[0]!, patient());
    const circuit = (): string | undefined => victim.transport.addresses().find((one) => one.includes("/p2p-circuit"));
    await until(() => circuit() !== undefined);
    const visitors = (): number => victim.transport.connected().filter((peer) => peer !== relay.signer.peer).length;
    let most = 0;
    for (let key = 0; key < visitorsPerOriginMax + 2; key++) {
      const attacker = await anybody();
      await attacker.dial(circuit()!, patient()).catch(() => undefined);
      most = Math.max(most, visitors());
    }
    if (isOpen) expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(isOpen ? visitorsPerOriginMax : 0);
    expect(await isHeard(await from("127.0.0.3", victim))).toBe("pending");
    await Promise.all(running.splice(0).map((one) => one.stop()));
  }
});
