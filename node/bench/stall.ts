/**
 * `npm run bench:stall [-- --values N]`: for how long the network's thread answers nobody at a time while a big update is
 * published, and while it is fetched and judged, with the cryptography of a peer (OpenSSL) and with the protocol's own
 * (JavaScript). Each side is a process of its own, over libp2p on loopback, with its store on disk.
 */
import { fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createSigner } from "../../protocol/envelope.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { MANIFEST_DEFAULTS, type NetworkManifest } from "../../protocol/network-manifest.ts";
import { createExchange } from "../exchange/exchange.ts";
import type { Logger } from "../interface/logger.ts";
import { createRecordedTransport } from "../privacy/recorded-transport.ts";
import { openEgressFile } from "../system/files/egress-file.ts";
import { openStore } from "../system/files/store.ts";
import { createLibp2pTransport } from "../system/network/libp2p.ts";
import { createNativeSigner, createNativeVerifier } from "../system/platform/ed25519.ts";
import { createNativeSha256 } from "../system/platform/sha256.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";

const CRYPTOGRAPHIES = ["JavaScript", "OpenSSL"] as const;
type By = (typeof CRYPTOGRAPHIES)[number];

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Processor time of the network's thread in milliseconds: of its longest turn while something is done, and in all. */
interface Stall {
  readonly longestMs: number;
  readonly totalMs: number;
}

/** In processor time, so that other work on the machine does not count. */
async function stallOf(work: () => Promise<unknown>): Promise<Stall> {
  const cpuMs = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let [longestMs, last] = [0, cpuMs()];
  const began = last;
  const turn = (): void => {
    const now = cpuMs();
    longestMs = Math.max(longestMs, now - last);
    last = now;
  };
  const timer = setInterval(turn, 1);
  await work();
  turn();
  clearInterval(timer);
  return { longestMs, totalMs: last - began };
}

/** A network of float32 updates with so many values. */
function manifestOf(values: number): NetworkManifest {
  const digest = { weights: "a".repeat(64), config: "b".repeat(64), tokenizer: "c".repeat(64) };
  return {
    schema: "weft-network/1",
    name: "stall",
    seed: 1,
    model: { family: "llama", digest },
    adapter: { kind: "lora", rank: 1, alpha: 1, targets: ["q_proj"], layers: "all" },
    tensors: [{ name: "q_proj.A", shape: [1, values] }],
    ...MANIFEST_DEFAULTS,
    bootstrap: [],
  };
}

async function startExchange(seed: Uint8Array, { by, values }: { readonly by: By; readonly values: number }) {
  const folder = await mkdtemp(join(tmpdir(), "weft-stall-"));
  const clock = createSystemClock();
  const store = await openStore(join(folder, "store"));
  const ledger = await openEgressFile({ clock, logger: SILENT }, { path: join(folder, "egress") });
  const network = await createLibp2pTransport(
    { logger: SILENT },
    {
      seed,
      listen: ["/ip4/127.0.0.1/tcp/0"],
      connectionsMax: 4,
      streamsPerProtocolMax: 16,
      gossipBytesMax: LIMITS.announcementBytesMax,
    },
  );
  const native = { verify: createNativeVerifier(), createSha256: createNativeSha256 };
  const cryptography = by === "OpenSSL" ? native : {};
  const signer = (by === "OpenSSL" ? createNativeSigner : createSigner)(seed);
  const recording = { transport: network, ledger, logger: SILENT, epsilon: () => undefined, ...cryptography };
  const transport = createRecordedTransport(recording);
  const exchange = createExchange(
    { transport, store, clock, logger: SILENT, signer, ...cryptography },
    { manifest: manifestOf(values) },
  );
  await exchange.start();
  exchange.setRound(0);
  const stop = async (): Promise<void> => {
    await exchange.stop();
    await store.close();
    await ledger.close();
    await rm(folder, { recursive: true });
  };
  return { exchange, transport, stop };
}

/** The side that fetches, told an address by the one that has published. */
async function runReader(by: By, values: number): Promise<void> {
  const { exchange, transport, stop } = await startExchange(new Uint8Array(32).fill(2), { by, values });
  const address = await new Promise<string>((resolve) => {
    process.once("message", (message) => resolve(message as string));
    process.send?.("ready");
  });
  const accepted = new Promise<void>((resolve, reject) => {
    exchange.onUpdate(({ code }) => (code === "ACCEPTED" ? resolve() : reject(new Error(`refused: ${code}`))));
  });
  const stall = await stallOf(async () => {
    await transport.dial(address, AbortSignal.timeout(60_000));
    await accepted;
  });
  process.send?.(stall);
  await stop();
}

async function measure(by: By, values: number) {
  const { exchange, transport, stop } = await startExchange(new Uint8Array(32).fill(1), { by, values });
  const theta = Float32Array.from({ length: values }, (_, i) => Math.sin(i));
  const publish = await stallOf(() => exchange.publish({ round: 0, theta, localSteps: 1, sampleCount: 1 }));
  const child = fork(new URL(import.meta.url), ["--reader", by, "--values", String(values)]);
  const messages: ((message: unknown) => void)[] = [];
  child.on("message", (message) => messages.shift()?.(message));
  const next = () => new Promise<unknown>((resolve) => messages.push(resolve));
  await next();
  const said = next();
  let fetched: Stall | undefined;
  const serve = await stallOf(async () => {
    child.send(transport.addresses()[0]!);
    fetched = (await said) as Stall;
  });
  await stop();
  return { publish, serve, fetch: fetched! };
}

const { values: given } = parseArgs({
  options: {
    values: { type: "string", default: String(LIMITS.updatePayloadBytesMax / 4) },
    reader: { type: "string" },
  },
});
const values = Number(given.values);
if (given.reader !== undefined) {
  await runReader(given.reader as By, values);
  process.disconnect?.();
} else {
  process.stdout.write(
    `${values} values, ${((4 * values) / 1e6).toFixed(0)} MB; longest turn (all turns), ms of processor time\n`,
  );
  for (const by of CRYPTOGRAPHIES) {
    const found = await measure(by, values);
    const row = Object.entries(found).map(
      ([what, { longestMs, totalMs }]) => `${what} ${longestMs.toFixed(0)} (${totalMs.toFixed(0)})`,
    );
    process.stdout.write(`${by}: ${row.join(", ")}\n`);
  }
}
