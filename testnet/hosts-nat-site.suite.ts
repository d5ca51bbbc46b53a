/**
 * A program for one host of hosts-nat.long.test.ts: a transport, as a peer has it. It prints a line of JSON for its id, and one once it
 * has a place at the relay. Each line that it reads is the id of a peer: it dials that through the relay, and prints how long this took,
 * after how long they were connected directly, or null, and the address of that connection.
 */
import { createInterface } from "node:readline";
import { createLibp2pTransport } from "../node/system/network/libp2p.ts";
import { createLogger } from "../node/system/platform/log.ts";

const [seed = "1", ip = "", relay] = process.argv.slice(2);
const isRelay = relay === undefined;
/** Two sites are to come together within this time. */
const WITHIN_MS = 10_000;

const transport = await createLibp2pTransport(
  { logger: createLogger({ level: "silent" }) },
  {
    seed: new Uint8Array(32).fill(Number(seed)),
    listen: isRelay ? [`/ip4/${ip}/tcp/9000`] : [],
    ...{ connectionsMax: 32, streamsPerProtocolMax: 32, gossipBytesMax: 10_000 },
    reach: { network: "nat", relay: isRelay, throughRelays: !isRelay },
  },
);
const say = (fact: object): void => void process.stdout.write(`${JSON.stringify(fact)}\n`);
const until = async (isSo: () => boolean, withinMs: number): Promise<boolean> => {
  for (const end = performance.now() + withinMs; performance.now() < end && !isSo(); ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return isSo();
};

await transport.start();
say({ id: transport.peer });
if (!isRelay) {
  await transport.dial(relay, AbortSignal.timeout(60_000));
  say({ hasPlace: await until(() => transport.addresses().some((one) => one.includes("/p2p-circuit/")), 60_000) });
}
for await (const line of createInterface({ input: process.stdin })) {
  const { peer } = JSON.parse(line);
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;
  await transport.dial(`${relay}/p2p-circuit/p2p/${peer}`, AbortSignal.timeout(20_000));
  const reached = seconds();
  const link = () => transport.links().find((one) => one.peer === peer && !one.isRelayed);
  const isDirect = await until(() => link() !== undefined, WITHIN_MS - reached * 1000);
  say({ reached, direct: isDirect ? seconds() : null, address: link()?.address });
  await transport.hangUp(peer);
}
