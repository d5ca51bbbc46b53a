/** Two sites behind routers of the usual kinds come together within ten seconds. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, it } from "vitest";
import { whyNoHosts } from "./hosts.suite.ts";
import { createNatHosts, NAT_ADDRESS, type NatHost, type NatHosts, type NatKind } from "./hosts-nat.suite.ts";

const whyNot = await whyNoHosts();
if (whyNot !== undefined) console.log(`routers are not tested here: ${whyNot}`);

const SITE = join(import.meta.dirname, "hosts-nat-site.suite.ts");
const KINDS: readonly NatKind[] = ["full-cone", "restricted", "symmetric"];
const started: ChildProcess[] = [];
let hosts: NatHosts | undefined;
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
  hosts?.remove();
});

/** Start the program on a host; its lines, one after the other. */
function site(role: NatHost, seed: number, ...words: readonly string[]): AsyncIterator<string> {
  const [program = "", ...before] = hosts?.on(role) ?? [];
  const command = [...before, process.execPath, SITE, role, String(seed), NAT_ADDRESS[role], ...words];
  const child = spawn(program, command, { stdio: ["ignore", "pipe", "inherit"] });
  started.push(child);
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]();
}

async function next(lines: AsyncIterator<string>): Promise<Record<string, unknown>> {
  const { value, done } = await lines.next();
  if (done === true) throw new Error("the host has ended");
  return JSON.parse(value);
}

describe.skipIf(whyNot !== undefined)("two sites behind routers", { timeout: 180_000 }, () => {
  const pairs = KINDS.flatMap((a, i) => KINDS.slice(i).map((b) => [a, b] as const));

  it.each(pairs)("%s and %s, reach each other within ten seconds, through a relaying member at least", async (a, b) => {
    hosts = createNatHosts([a, b]);
    const relay = site("relay", 1);
    const at = `/ip4/${NAT_ADDRESS.relay}/tcp/9000/p2p/${(await next(relay)).id}`;
    const alice = site("alice", 2, at);
    const { id } = await next(alice);
    expect(await next(alice)).toEqual({ hasPlace: true });
    const bob = site("bob", 3, at, String(id));
    await next(bob);
    expect(await next(bob)).toEqual({ hasPlace: true });
    const { seconds, direct } = await next(bob);
    console.log(`${a} and ${b}: ${Number(seconds).toFixed(1)} s, ${direct ? "direct" : "through the relay"}`);
    expect(seconds).toBeLessThan(10);
  });
});
