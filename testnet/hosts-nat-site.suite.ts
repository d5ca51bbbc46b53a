/**
 * A program for one host of hosts-nat.long.test.ts: a transport, as a peer has it. It prints a line of JSON for its id, one once it has
 * a place at the relay, and of bob how long it took to reach alice and whether directly.
 */
import { createLibp2pTransport } from "../node/system/network/libp2p.ts";
import { createLogger } from "../node/system/platform/log.ts";

const [role = "", seed = "1", ip = "", relay = "", alice = ""] = process.argv.slice(2);
const isRelay = role === "relay";
const transport = await createLibp2pTransport(
  { logger: createLogger({ level: "silent" }) },
  {
    seed: new Uint8Array(32).fill(Number(seed)),
    listen: [`/ip4/${ip}/tcp/9000`, `/ip4/${ip}/udp/9000/quic-v1`],
    ...{ connectionsMax: 32, streamsPerProtocolMax: 32, gossipBytesMax: 10_000 },
    reach: { network: "nat", relay: isRelay, throughRelays: !isRelay },
  },
);
const say = (fact: object): void => void process.stdout.write(`${JSON.stringify(fact)}\n`);
const until = async (isSo: () => boolean, withinMs: number): Promise<boolean> => {
  for (const end = performance.now() + withinMs; performance.now() < end; ) {
    if (isSo()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return isSo();
};

await transport.start();
say({ id: transport.peer });
if (!isRelay) {
  await transport.dial(relay, AbortSignal.timeout(20_000));
  say({ hasPlace: await until(() => transport.addresses().some((one) => one.includes("/p2p-circuit/")), 30_000) });
}
if (role === "bob") {
  const began = performance.now();
  await transport.dial(`${relay}/p2p-circuit/p2p/${alice}`, AbortSignal.timeout(20_000));
  const seconds = (performance.now() - began) / 1000;
  const isDirect = (): boolean => transport.links().some((link) => link.peer === alice && !link.isRelayed);
  say({ seconds, direct: await until(isDirect, 10_000 - seconds * 1000) });
  await transport.stop();
  process.exit(0);
}
