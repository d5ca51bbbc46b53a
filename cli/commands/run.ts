/** `weft run`: one peer, from start to the last round or Ctrl-C. */

import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { type LoadedExamples, loadExamples } from "../../node/data-source.ts";
import { NodeError } from "../../node/errors.ts";
import type { PeerEvent, PeerReport } from "../../node/interface/peer-event.ts";
import type { Device } from "../../node/interface/runtime.ts";
import type { Precision } from "../../node/interface/trainer.ts";
import { runPeer } from "../../node/peer.ts";
import type { LogLevel } from "../../node/system/log.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import { comparisonSentences } from "../../testnet/comparison.ts";
import { formatEventLine } from "../../testnet/event-line.ts";
import { forgettingSentence } from "../../testnet/forgetting-table.ts";
import { progressLine } from "../../testnet/live-view.ts";
import { formatLoss, formatShare, textTable } from "../../testnet/text-table.ts";
import { dataDirectory } from "../data-directory.ts";
import { jsonText } from "../json.ts";
import { modelDirectory } from "../model-directory.ts";
import { keepNetwork, networkOf, rosterGenesis } from "../network-file.ts";
import type { Part } from "../option-value.ts";
import { type PrivacyOptions, privacySettings, refuseIdleSketchNoise } from "../privacy-options.ts";
import { type ReachFlags, reachOf } from "../reach-options.ts";
import { createStatusWriter } from "../status-file.ts";
import { EXIT_INTERRUPTED, EXIT_OK, type Terminal } from "../terminal.ts";

export type RunOptions = PrivacyOptions &
  ReachFlags & {
    readonly dataDir?: string;
    readonly network?: string;
    readonly model?: string;
    readonly data?: string;
    readonly split?: string;
    readonly part?: Part;
    readonly bootstrap?: readonly string[];
    readonly threads?: number;
    readonly device?: Device;
    readonly lengthBuckets?: number;
    readonly lowMemory?: boolean;
    readonly pack?: boolean;
    readonly precision?: Precision;
    readonly compareAlone?: boolean;
    readonly hold?: boolean;
    readonly serve?: boolean;
    readonly events?: boolean;
    readonly json?: boolean;
    readonly logLevel?: LogLevel;
  };

export async function run(options: RunOptions, terminal: Terminal): Promise<number> {
  if (options.events && options.json) {
    throw new NodeError("CONFIG_INVALID", "--events and --json both fill standard output; give one of them");
  }
  const privacy = privacySettings(options);
  const folder = dataDirectory(options.dataDir, terminal.environment);
  terminal.err(`files of this peer: ${folder}\n`);
  const genesis = await networkOf(options.network, folder);
  const { manifest } = genesis;
  refuseIdleSketchNoise(options, manifest);
  const roster = await rosterGenesis(genesis, folder);
  const model = modelDirectory(options.model);
  const { sets: examples, cut } = await peerExamples(options, manifest, model);
  if (cut.records > 0) {
    const tokens = cut.promptTokens + cut.responseTokens;
    terminal.err(
      `${cut.records} records are longer than ${manifest.training.maxTokens} tokens; ${tokens} tokens were cut\n`,
    );
  }
  const status = createStatusWriter({
    dataDirectory: folder,
    network: networkId(manifest),
    rounds: manifest.rounds.count,
    onError: (error) => terminal.err(`status.json: ${error instanceof Error ? error.message : String(error)}\n`),
  });
  const onEvent = (event: PeerEvent): void => {
    status.note(event);
    if (options.events) terminal.out(formatEventLine(event));
    else tell(event);
  };
  const tell = (event: PeerEvent): void => {
    if (event.type === "started") terminal.err(`dial this peer at ${event.addresses.join(" or ")}\n`);
    const line = progressLine(event, manifest);
    if (line !== undefined) terminal.err(`${line}\n`);
  };
  const peer = await runPeer({
    dataDirectory: folder,
    manifest,
    ...(roster && { genesis: roster }),
    modelDirectory: model,
    examples,
    ...reachOf(options, networkId(manifest)),
    bootstrap: [...(options.bootstrap ?? []), ...manifest.bootstrap],
    ...(options.hold && { startWhen: terminal.nextLine() }),
    compareAlone: options.compareAlone ?? false,
    threads: options.threads ?? availableParallelism(),
    ...(options.device !== undefined && { device: options.device }),
    ...(options.lengthBuckets !== undefined && { buckets: options.lengthBuckets }),
    lowMemory: options.lowMemory ?? false,
    pack: options.pack ?? false,
    ...(options.precision !== undefined && { precision: options.precision }),
    ...(privacy && { privacy }),
    ...(options.sketchNoise !== undefined && { sketchNoise: options.sketchNoise }),
    logLevel: options.logLevel ?? "warn",
    onEvent,
  });
  const interrupted = whenAborted(terminal.signal);
  try {
    // Only now: a run that is refused leaves a fresh directory free for any network.
    await keepNetwork(genesis, folder);
    const report = await Promise.race([peer.done, interrupted]);
    if (report === undefined) return EXIT_INTERRUPTED;
    if (options.json) terminal.out(jsonText(report));
    else if (!options.events) terminal.out(`${reportLines(report).join("\n")}\n`);
    if (options.serve) {
      if (!options.events) terminal.err("finished; serving updates to others until Ctrl-C\n");
      await interrupted;
    }
    return EXIT_OK;
  } finally {
    await peer.stop();
    await status.end();
  }
}

/** Every peer divides the data alike, by the network's seed, and takes its own part. */
function peerExamples(
  { data, split, part }: RunOptions,
  manifest: NetworkManifest,
  model: string,
): Promise<LoadedExamples> {
  return loadExamples({
    ...(data !== undefined && { file: resolve(data) }),
    ...(split !== undefined && { split }),
    ...(part !== undefined && { part }),
    seed: manifest.seed,
    modelDirectory: model,
    maxTokens: manifest.training.maxTokens,
    batchSize: manifest.training.batchSize,
  });
}

function reportLines(report: PeerReport): string[] {
  const { base, alone, swarm } = report;
  const columns = [
    { heading: "held-out data", numeric: false },
    { heading: "loss", numeric: true },
    { heading: "accuracy", numeric: true },
    { heading: "whole answers", numeric: true },
  ];
  const scores = { "base model": base, ...(alone && { "trained alone": alone }), "trained in the swarm": swarm };
  const rows = Object.entries(scores).map(([name, { loss, accuracy, exactMatch }]) => [
    name,
    formatLoss(loss),
    formatShare(accuracy),
    formatShare(exactMatch),
  ]);
  return [
    ...textTable(columns, rows),
    `forgetting   ${forgettingSentence(report.forgetting)}`,
    ...comparisonSentences(report),
  ];
}

function whenAborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((done) => {
    if (signal.aborted) done(undefined);
    else signal.addEventListener("abort", () => done(undefined), { once: true });
  });
}
