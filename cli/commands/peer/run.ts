/** `weft run`: one peer, from start to the last round or Ctrl-C. */

import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { dataDirectoryLayout } from "../../../node/data-directory/layout.ts";
import { NodeError } from "../../../node/errors.ts";
import type { EngineOptions } from "../../../node/interface/engine-options.ts";
import type { LogLevel } from "../../../node/interface/logger.ts";
import type { PeerEvent, PeerReport } from "../../../node/interface/peer-event.ts";
import { type LoadedExamples, loadExamples } from "../../../node/local/data-source.ts";
import { searchModel, waitForModel } from "../../../node/manifest/model-search.ts";
import { runPeer } from "../../../node/peer/peer.ts";
import { finishSwitch, switchNetwork } from "../../../node/peer/switch-network.ts";
import { COMMAND_WAIT_MS } from "../../../node/system/files/lock-file.ts";
import { createLogger } from "../../../node/system/platform/log.ts";
import { createSystemClock } from "../../../node/system/platform/system-clock.ts";
import type { Genesis } from "../../../protocol/membership/genesis.ts";
import { type NetworkManifest, networkId } from "../../../protocol/network-manifest.ts";
import { comparisonSentences } from "../../../testnet/words/comparison.ts";
import { formatEventLine } from "../../../testnet/words/event-line.ts";
import { forgettingSentence } from "../../../testnet/words/forgetting-table.ts";
import { progressLine } from "../../../testnet/words/live-view.ts";
import { formatLoss, formatShare, textTable } from "../../../testnet/words/text-table.ts";
import { dataDirectory } from "../../data-directory.ts";
import { engineOf } from "../../engine-flags.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { keepNetwork, keptNetwork, networkOf, rosterGenesis } from "../../network-file.ts";
import type { Part } from "../../option-value.ts";
import { type PrivacyOptions, privacySettings, refuseIdleSketchNoise } from "../../privacy-options.ts";
import { type ReachFlags, reachOf } from "../../reach-options.ts";
import { createStatusWriter } from "../../status-file.ts";
import { EXIT_INTERRUPTED, EXIT_OK, type Terminal } from "../../terminal.ts";

/** Values of the flags. */
export type RunOptions = PrivacyOptions &
  ReachFlags &
  EngineOptions & {
    readonly dataDir?: string;
    readonly network?: string;
    readonly model?: string;
    readonly data?: string;
    readonly split?: string;
    readonly part?: Part;
    readonly bootstrap?: readonly string[];
    readonly compareAlone?: boolean;
    readonly hold?: boolean;
    readonly serve?: boolean;
    readonly events?: boolean;
    readonly json?: boolean;
    readonly logLevel?: LogLevel;
  };

/** Run until the last round, or until it is interrupted.  Returns the exit code. */
export async function run(options: RunOptions, terminal: Terminal): Promise<number> {
  if (options.events && options.json) {
    throw new NodeError("CONFIG_INVALID", "--events and --json both fill standard output; give one of them");
  }
  const folder = dataDirectory(options.dataDir, terminal.environment);
  terminal.err(`files of this peer: ${folder}\n`);
  const genesis = await networkOf(options.network, folder);
  await goOver(genesis, folder);
  let code = await runUnder(genesis, options, terminal);
  // The members have agreed to go on under another manifest: once this one's last round is done, it is the kept one.
  // Until now the directory was this peer's: who has it open by then is a command, which ends soon.
  const later = { ...options, hold: false, lockWaitMs: COMMAND_WAIT_MS };
  for (let kept = genesis; code === GOES_ON; code = await runUnder(kept, later, terminal)) {
    kept = await networkOf(undefined, folder);
  }
  return code;
}

/** Where the network that is kept is the one before this, its files go over to this one. */
async function goOver(genesis: Genesis, folder: string): Promise<void> {
  const kept = await keptNetwork(folder);
  if (kept === undefined) return;
  await finishSwitch(folder, networkId(kept.manifest));
  if (networkId(kept.manifest) !== networkId(genesis.manifest)) {
    const first = await rosterGenesis(kept, folder);
    const logger = createLogger({ level: "warn" });
    if (first)
      await switchNetwork(folder, { genesis: first, before: kept.manifest, next: genesis.manifest }, { logger });
  }
}

/** What `runUnder` returns when the network goes on under another manifest, which is kept now; no exit code. */
const GOES_ON = -1;

async function runUnder(
  genesis: Genesis,
  options: RunOptions & { readonly lockWaitMs?: number },
  terminal: Terminal,
): Promise<number> {
  const { manifest } = genesis;
  const privacy = privacySettings(options);
  refuseIdleSketchNoise(options, manifest);
  const folder = dataDirectory(options.dataDir, terminal.environment);
  const roster = await rosterGenesis(genesis, folder);
  const places = modelPlaces(options, folder);
  // The first network's model is there before a peer takes part; that of a later one may have to be got.
  const search =
    manifest.succeeds === undefined
      ? { directory: modelDirectory(options.model), needs: [] }
      : searchModel(manifest, places);
  const model = search.directory;
  const lacks = search.needs.length > 0 ? search : undefined;
  const { sets: examples, cut } = lacks === undefined ? await peerExamples(options, manifest, model) : NO_EXAMPLES;
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
    // Whoever reads events reads the log too, and this one is for a person to do something about.
    if (options.events && event.type === "observing") tell(event);
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
    ...(lacks && { lacks }),
    modelDirectory: model,
    examples,
    ...reachOf(options, networkId(manifest)),
    bootstrap: [...(options.bootstrap ?? []), ...manifest.bootstrap],
    ...(options.hold && { startWhen: terminal.nextLine() }),
    compareAlone: options.compareAlone ?? false,
    engine: engineOf(options, { threads: availableParallelism() }),
    ...(privacy && { privacy }),
    ...(options.sketchNoise !== undefined && { sketchNoise: options.sketchNoise }),
    logLevel: options.logLevel ?? "warn",
    ...(options.lockWaitMs !== undefined && { lockWaitMs: options.lockWaitMs }),
    // Not earlier: a run that is refused leaves a fresh directory free for any network.
    beforeStarted: () => keepNetwork(genesis, folder),
    onEvent,
  });
  const ending = new AbortController();
  const hasModel = Promise.withResolvers<{ readonly hasModel: true }>();
  const interrupted = whenAborted(terminal.signal);
  try {
    const goOn = async (next: readonly NetworkManifest[]): Promise<number> => {
      await peer.stop();
      await switchThrough(next, { folder, roster, manifest, logLevel: options.logLevel }, terminal);
      return GOES_ON;
    };
    if (lacks !== undefined) {
      void waitForModel({ clock: createSystemClock() }, manifest, places, {
        onReminder: (still) => onEvent({ type: "observing", ...still }),
        signal: ending.signal,
      }).then(() => hasModel.resolve({ hasModel: true }));
    }
    const followed = peer.goesOver.then((next) => ({ next }));
    const ended = await Promise.race([peer.done, interrupted, followed, hasModel.promise]);
    if (ended === undefined) return EXIT_INTERRUPTED;
    if ("hasModel" in ended) {
      terminal.err("the network's model is there; this peer trains from now on\n");
      return GOES_ON;
    }
    if ("next" in ended) {
      terminal.err("the members are in a later network\n");
      return await goOn(ended.next);
    }
    if (options.json) terminal.out(jsonText(ended));
    else if (!options.events) terminal.out(`${reportLines(ended).join("\n")}\n`);
    const next = peer.successor();
    if (next !== undefined) return await goOn([next.manifest]);
    if (options.serve) {
      if (!options.events) terminal.err("finished; serving updates to others until Ctrl-C\n");
      const later = await Promise.race([interrupted, followed]);
      if (later !== undefined) return await goOn(later.next);
    }
    return EXIT_OK;
  } finally {
    ending.abort();
    await peer.stop();
    await status.end();
  }
}

/** What a peer reads that cannot train: its data are tokens of a model that it lacks. */
const NO_EXAMPLES: LoadedExamples = {
  sets: { train: [], validation: [], test: [] },
  cut: { records: 0, promptTokens: 0, responseTokens: 0 },
};

/** Where the model may be: a folder of the peer's own for one that comes later, and what the person says; last, where it should. */
function modelPlaces({ model }: RunOptions, folder: string): readonly [string, string] {
  const own = resolve(dataDirectoryLayout(folder).model);
  return model === undefined ? [modelDirectory(model), own] : [own, modelDirectory(model)];
}

/** Go over to each of these manifests in turn, the peer being stopped. */
async function switchThrough(
  manifests: readonly NetworkManifest[],
  {
    folder,
    roster,
    manifest,
    logLevel = "warn",
  }: {
    readonly folder: string;
    readonly roster: Genesis | undefined;
    readonly manifest: NetworkManifest;
    readonly logLevel: LogLevel | undefined;
  },
  terminal: Terminal,
): Promise<void> {
  if (roster === undefined) throw new Error("a network without a roster goes on under no other manifest");
  const logger = createLogger({ level: logLevel });
  let before = manifest;
  for (const next of manifests) {
    await switchNetwork(folder, { genesis: roster, before, next }, { logger });
    before = next;
    const round = (next.succeeds?.round ?? 0) + 1;
    terminal.err(`going on under network ${networkId(next)} from round ${round} on\n`);
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
