/** `weft report`: what the swarm was good for, for one peer. */
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import {
  keptNetwork,
  modelDoor,
  type NetworkManifest,
  type NeutralLosses,
  NodeError,
  networkId,
  recordDoor,
  type ShownRecord,
  trainingDoor,
} from "../../../node/index.ts";
import { refuseUnwritable, writeReport } from "../../../testnet/report-file.ts";
import { type PeerRecord, peerReport, peerReportLines } from "../../../testnet/words/peer-report.ts";
import type { CommandRow } from "../../command-row.ts";
import { dataDirectory } from "../../data-directory.ts";
import { engineFlags, engineOf, USE_OPTIONS, type UseOptions } from "../../engine-flags.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { askRunningPeer } from "../../running-peer.ts";
import { CONFIG, DATA_DIR, JSON_OUTPUT, MODEL } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft report`, and what it runs. */
export const reportCommand: CommandRow = {
  name: ["report"],
  text: "Say what the swarm is worth for a peer: base model, training alone and swarm, round by round on its own held-out data, and what else was forgotten (the loss on neutral text before and after). The peer may run or not.",
  options: [
    DATA_DIR,
    CONFIG,
    { ...MODEL, otherwise: "the one that the peer runs with, else the embedded model" },
    { flags: "--without-neutral", text: "do not evaluate neutral text, which needs the base model and takes seconds" },
    { flags: "--html <file>", text: "write the report as a page, one file that opens anywhere" },
    ...engineFlags({ only: USE_OPTIONS }),
    JSON_OUTPUT,
  ],
  configurable: "partly",
  takesLong: true,
  example: "weft report --data-dir alice --html alice.html",
  json: {
    schema: "weft-report/1",
    title: "what is reported",
    headline: "whether it was worth it, in a sentence",
    sentences: "text of each, and whether it is one to worry about",
    about: "how far the peer is",
    facts: "name and value of each",
    peers:
      "the peer: scores on test data, losses of each round on validation data with half of their 95 % intervals, forgetting, neutral text, bytes, seconds, updates",
    manifest: "the network's settings",
  },
  run,
};

type ReportOptions = UseOptions & {
  readonly dataDir?: string;
  readonly model?: string;
  readonly withoutNeutral?: boolean;
  readonly html?: string;
  readonly json?: boolean;
};

async function run(options: ReportOptions, terminal: Terminal): Promise<number> {
  const folder = dataDirectory(options.dataDir, terminal.environment);
  terminal.err(`files of this peer: ${folder}\n`);
  const file = options.html === undefined ? undefined : resolve(options.html);
  if (file !== undefined) await refuseUnwritable(file);
  const known = (await runningRecord(folder)) ?? (await restingRecord(folder));
  const neutral = await neutralOf(options, { folder, known, terminal });
  const record: PeerRecord = { ...known, ...(neutral && { neutral }) };
  if (file !== undefined) {
    const { reportHtml } = await recordDoor();
    await writeReport(file, await reportHtml(peerReport(record)));
    terminal.err(`report: ${pathToFileURL(file).href}\n`);
  }
  if (options.json) terminal.out(jsonText(peerReport(record)));
  else terminal.out(`${peerReportLines(record).join("\n")}\n`);
  return EXIT_OK;
}

/** A peer's record, and the model that it runs with as far as that is known. */
type Known = Omit<PeerRecord, "neutral"> & { readonly model?: string | undefined };

const NOT_COMPARED =
  "Training alone is not part of this run; start the peer with weft run --compare-alone before its last round, and it comes after that.";
const STILL_TO_COME = "Training alone comes after the last round.";

interface StatusAnswer {
  readonly network: string;
  readonly view: { readonly peer?: string; readonly state: string; readonly forgetting?: ShownRecord["forgetting"] };
}
interface RoundsAnswer {
  readonly rounds: ShownRecord["rounds"];
  readonly base: ShownRecord["base"] | null;
  readonly report: (ShownRecord["scores"] & Pick<ShownRecord, "aloneRounds">) | null;
}
interface ConfigAnswer {
  readonly manifest: NetworkManifest;
  readonly settings: { readonly model?: string; readonly compareAlone?: boolean };
}

/** What a running peer says itself; undefined where none runs, or one without an admin interface. */
async function runningRecord(folder: string): Promise<Known | undefined> {
  const status = await askRunningPeer<StatusAnswer>(folder, "/v1/status");
  const rounds = await askRunningPeer<RoundsAnswer>(folder, "/v1/rounds");
  const config = await askRunningPeer<ConfigAnswer>(folder, "/v1/config");
  if (status === undefined || rounds === undefined || config === undefined) return undefined;
  const { report, base } = rounds;
  const { model, compareAlone = false } = config.settings;
  const isOver = report !== null;
  return {
    ...{ network: status.network, id: status.view.peer ?? "", state: status.view.state, manifest: config.manifest },
    rounds: rounds.rounds,
    forgetting: status.view.forgetting ?? { loss: 0, accuracy: 0, tasks: [] },
    ...(base && { base }),
    ...(report && { scores: report, aloneRounds: report.aloneRounds }),
    aloneMissing: compareAlone && !isOver ? STILL_TO_COME : NOT_COMPARED,
    model,
  };
}

/** What a peer has left that does not run.  Throws: NodeError DATA_DIRECTORY, ADAPTER_FILE. */
async function restingRecord(folder: string): Promise<Known> {
  const genesis = await keptNetwork(folder);
  if (genesis === undefined) {
    const text = `no peer has run in ${folder} yet`;
    throw new NodeError("DATA_DIRECTORY", text, { folder, problem: "no-checkpoint" });
  }
  const { readSigner, storedRecord } = await recordDoor();
  const [record, signer] = [await storedRecord(folder), await readSigner(folder)];
  const { manifest } = genesis;
  return { ...record, id: signer.peer, state: "stopped", manifest, aloneMissing: NOT_COMPARED };
}

/** Losses on neutral text; undefined where they are not wanted, or the model is not at hand, which is said. */
async function neutralOf(
  options: ReportOptions,
  { folder, known, terminal }: { readonly folder: string; readonly known: Known; readonly terminal: Terminal },
): Promise<NeutralLosses | undefined> {
  if (options.withoutNeutral || known.rounds.length === 0) return undefined;
  const { adapterOfPeer, openModel } = await modelDoor();
  const { neutralForgetting } = await trainingDoor();
  terminal.err("neutral text: evaluating the base model and the adapter\n");
  try {
    const opened = openModel(modelDirectory(options.model ?? known.model), options);
    const adapter = await adapterOfPeer(folder, known.manifest, opened);
    return await neutralForgetting(opened, adapter, engineOf(options, { threads: availableParallelism() }));
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    terminal.err(
      `neutral text is left out: ${error.message}; give --model the network's model (${networkId(known.manifest)})\n`,
    );
    return undefined;
  }
}
