/** `weft testnet`: several peers on this machine, and a report of what the swarm was good for. */

import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { NodeError } from "../../../node/errors.ts";
import type { EngineOptions } from "../../../node/interface/engine-options.ts";
import { createNetwork } from "../../../node/manifest/create-network.ts";
import { STANDARD_INPUT } from "../../../node/system/files/data-bytes.ts";
import type { LogLevel } from "../../../node/system/platform/log.ts";
import type { NetworkManifest } from "../../../protocol/network-manifest.ts";
import { TESTNET_DEFAULTS } from "../../../testnet/defaults.ts";
import { type LiveView, lineView, terminalView } from "../../../testnet/live-view.ts";
import { renderReport } from "../../../testnet/report.ts";
import { refuseUnwritable, writeReport } from "../../../testnet/report-file.ts";
import { type TestnetResult, testnetDocument } from "../../../testnet/result.ts";
import { refuseUsedFolder, runTestnet, type TestnetData } from "../../../testnet/run-testnet.ts";
import { summaryLines, unfinishedSentence, verdictSentences } from "../../../testnet/summary.ts";
import type { DataFlags } from "../../data-options.ts";
import { engineOf } from "../../engine-flags.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { headWarning, type NetworkOptions, networkSettings, TESTNET_SETTINGS } from "../../network-options.ts";
import { packageFolder } from "../../package-folder.ts";
import { type PrivacyOptions, privacySettings, refuseIdleSketchNoise } from "../../privacy-options.ts";
import { EXIT_INTERRUPTED, EXIT_OK, EXIT_REFUSED, type Terminal } from "../../terminal.ts";
import { sketchWarning } from "../../weights-argument.ts";

export type TestnetCommandOptions = NetworkOptions &
  PrivacyOptions &
  DataFlags &
  EngineOptions & {
    readonly peers?: number;
    readonly model?: string;
    readonly split?: string;
    readonly dataDir?: string;
    readonly keep?: boolean;
    readonly report?: string;
    readonly json?: boolean;
    readonly logLevel?: LogLevel;
  };

export async function run(options: TestnetCommandOptions, terminal: Terminal): Promise<number> {
  const peers = options.peers ?? TESTNET_DEFAULTS.peers;
  const privacy = privacySettings(options);
  const reportFile = resolve(options.report ?? "weft-report.html");
  if (options.dataDir !== undefined) await refuseUsedFolder(resolve(options.dataDir));
  await refuseUnwritable(reportFile);
  const manifest = createTestnetManifest(options);
  refuseIdleSketchNoise(options, manifest);
  for (const warning of [headWarning(manifest.head), sketchWarning(manifest.aggregation.weights)]) {
    if (warning) terminal.err(`warning: ${warning}\n`);
  }
  const isTemporary = options.dataDir === undefined;
  const folder = isTemporary ? await mkdtemp(join(tmpdir(), "weft-testnet-")) : resolve(options.dataDir ?? "");
  terminal.err(`files of the peers: ${folder}\n`);
  const view = liveView(terminal, manifest, peers);
  let result: TestnetResult;
  try {
    result = await runTestnet({
      manifest,
      peers,
      command: join(packageFolder(), "cli", "weft.js"),
      folder,
      ...(options.model !== undefined && { modelDirectory: resolve(options.model) }),
      ...(options.data !== undefined && { data: sharedData(options.data, options) }),
      engine: engineOf(options, { threads: Math.max(1, Math.floor(availableParallelism() / peers)) }),
      ...(privacy && { privacy }),
      ...(options.sketchNoise !== undefined && { sketchNoise: options.sketchNoise }),
      logLevel: options.logLevel ?? "warn",
      signal: terminal.signal,
      observer: view,
    });
  } finally {
    view.end();
    if (isTemporary && !options.keep) await rm(folder, { recursive: true, force: true });
  }
  await writeReport(reportFile, renderReport(result));
  terminal.err(`report: ${pathToFileURL(reportFile).href}\n`);
  terminal.err(`files of the peers: ${isTemporary && !options.keep ? "removed (--keep keeps them)" : folder}\n`);
  if (options.json) {
    terminal.out(jsonText(testnetDocument(result)));
    terminal.err(`${verdictSentences(result).join("\n")}\n`);
  } else {
    terminal.out(`${summaryLines(result).join("\n")}\n`);
  }
  if (result.interrupted) return EXIT_INTERRUPTED;
  const unfinished = unfinishedSentence(result);
  if (unfinished === undefined) return EXIT_OK;
  terminal.err(`weft: ${unfinished}; the last lines of each are in ${reportFile}\n`);
  return EXIT_REFUSED;
}

function sharedData(file: string, { split = "iid", columns, charset }: TestnetCommandOptions): TestnetData {
  if (file === STANDARD_INPUT) {
    throw new NodeError("CONFIG_INVALID", "the peers of a testnet read --data each by itself; give a file, not -");
  }
  return {
    file: resolve(file),
    split,
    reading: [
      ...(columns === undefined ? [] : ["--columns", columns]),
      ...(charset === undefined ? [] : ["--charset", charset]),
    ],
  };
}

function createTestnetManifest(options: TestnetCommandOptions): NetworkManifest {
  return createNetwork({
    name: "testnet",
    modelDirectory: modelDirectory(options.model),
    ...networkSettings(options, TESTNET_SETTINGS),
    bootstrap: [],
  });
}

function liveView(terminal: Terminal, manifest: NetworkManifest, peers: number): LiveView {
  const options = { write: terminal.err, manifest, peers };
  if (!terminal.errIsTerminal) return lineView(options);
  return terminalView({ ...options, now: () => performance.now(), columns: terminal.columns });
}
