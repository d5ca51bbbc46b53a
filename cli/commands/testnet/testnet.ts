/** `weft testnet`: several peers on this machine, and a report of what the swarm was good for. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { NodeError, recordDoor, type WorkTeller, workDoor } from "../../../node/index.ts";
import type { NetworkManifest } from "../../../protocol/network-manifest.ts";
import type { ServedPage } from "../../../testnet/swarm/swarm-page.ts";
import type { LiveView } from "../../../testnet/words/live-view.ts";
import { lineView, terminalView } from "../../../testnet/words/live-view.ts";
import type { TestnetResult } from "../../../testnet/words/result.ts";
import type { CommandRow } from "../../command-row.ts";
import { jsonText } from "../../json.ts";
import { TESTNET_SETTINGS } from "../../network-options.ts";
import { packageFolder, packageVersion } from "../../package-folder.ts";
import { PAGE_PORT, pageLine } from "../../page-place.ts";
import { DATA_DIR, JSON_OUTPUT, LOG_LEVEL } from "../../shared-options.ts";
import { EXIT_INTERRUPTED, EXIT_OK, EXIT_REFUSED, type Terminal } from "../../terminal.ts";
import { CentralRun } from "./central-run.ts";
import { plannedTestnet, type TestnetFlags, testnetOptions } from "./testnet-plan.ts";

/** The row of `weft testnet`, and what it runs. */
export const testnetCommand: CommandRow = {
  name: ["testnet"],
  text: "Train with several peers on this machine, each a process of its own. The report says whether the swarm helped.",
  options: [
    ...testnetOptions(TESTNET_SETTINGS),
    {
      ...DATA_DIR,
      text: "folder for the files of the peers, a folder each; it is kept afterwards",
      otherwise: "a temporary folder, removed afterwards",
    },
    {
      flags: "--without-central",
      text: "do not also train once with all data in one place, which the share of the way is counted from",
      otherwise: "it is done beside the peers, and with a model of your own after they have finished",
    },
    {
      flags: "--without-page",
      text: "serve no page; the peers have no admin interfaces then",
      otherwise: "a page shows all peers to a browser on this machine while the command runs",
    },
    PAGE_PORT,
    { flags: "--keep", text: "keep the peers' files in the temporary folder" },
    { flags: "--report <file>", text: "file for the HTML report", otherwise: "weft-report.html" },
    JSON_OUTPUT,
    LOG_LEVEL,
  ],
  endsInOrder: true,
  example: "weft testnet --model models/tinystories-656k --data input.txt --split speaker --peers 6 --rounds 5",
  json: {
    network: "the network's id",
    rounds: "number of rounds",
    peers: "scores, bytes, seconds, updates and rounds of each peer",
    worseThanAlone: "ids of the peers that the swarm did not help",
    shareOfTheWay: "from training alone (0) to all data in one place (1), or null",
    seconds: "wall time",
    interrupted: "whether it was stopped",
    manifest: "the network's settings",
  },
  run,
};

type TestnetCommandOptions = TestnetFlags & {
  readonly dataDir?: string;
  readonly keep?: boolean;
  readonly withoutCentral?: boolean;
  readonly withoutPage?: boolean;
  readonly pagePort?: number;
  readonly report?: string;
  readonly json?: boolean;
};

async function run(options: TestnetCommandOptions, terminal: Terminal): Promise<number> {
  const { testnetReport } = await import("../../../testnet/words/testnet-report.ts");
  const { reportHtml } = await recordDoor();
  const { refuseUnwritable, writeReport } = await import("../../../testnet/report-file.ts");
  const { testnetDocument } = await import("../../../testnet/words/result.ts");
  const { refuseUsedFolder, runTestnet } = await import("../../../testnet/run-testnet.ts");
  const { summaryLines, unfinishedSentence, verdictSentences } = await import("../../../testnet/words/summary.ts");
  const reportFile = resolve(options.report ?? "weft-report.html");
  if (options.dataDir !== undefined) await refuseUsedFolder(resolve(options.dataDir));
  await refuseUnwritable(reportFile);
  const { manifest, settings } = await plannedTestnet(options, terminal, TESTNET_SETTINGS);
  const { peers } = settings;
  const isTemporary = options.dataDir === undefined;
  const folder = isTemporary ? await temporaryFolder() : resolve(options.dataDir ?? "");
  terminal.err(`files of the peers: ${folder}\n`);
  const { tellWork } = await workDoor();
  const view = withBeginning(liveView(terminal, manifest, peers), peers, tellWork);
  const central = options.withoutCentral ? undefined : new CentralRun({ flags: options, manifest, settings, terminal });
  let page: ServedPage | undefined;
  let result: TestnetResult;
  try {
    page = await openPage(folder, peers, { options, terminal });
    central?.beginBeside();
    result = await runTestnet({
      ...{ ...settings, manifest, folder },
      command: join(packageFolder(), "cli", "weft.js"),
      signal: terminal.signal,
      observer: view,
      isAsked: page !== undefined,
    });
  } catch (error) {
    await central?.stop();
    throw error;
  } finally {
    view.end();
    await page?.close();
    await rm(join(folder, "page"), { recursive: true, force: true });
    if (isTemporary && !options.keep) await rm(folder, { recursive: true, force: true });
  }
  if (central) result = await withCentral(result, central);
  await writeReport(reportFile, await reportHtml(testnetReport(result)));
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

/** The page of all peers, where it is wanted, and where it is.  Throws: NodeError PORT_IN_USE and others. */
async function openPage(
  folder: string,
  peers: number,
  { options, terminal }: { readonly options: TestnetCommandOptions; readonly terminal: Terminal },
): Promise<ServedPage | undefined> {
  if (options.withoutPage === true) return undefined;
  const { servePage } = await import("../../../testnet/swarm/swarm-page.ts");
  const page = await servePage(folder, {
    ...{ peers, port: options.pagePort ?? 0, version: packageVersion() },
    onError: (error) => terminal.err(`weft: the page: ${error instanceof Error ? error.message : String(error)}\n`),
  });
  terminal.err(`${pageLine(page.served, terminal)}\n`);
  return page;
}

/** The run, and what one training with everybody's data gave, where all peers finished and nobody stopped it. */
async function withCentral(result: TestnetResult, central: CentralRun): Promise<TestnetResult> {
  const isWhole = result.peers.every(({ view }) => view.report?.alone !== undefined);
  if (result.interrupted || !isWhole) {
    await central.stop();
    return result;
  }
  const scores = await central.scores();
  return scores ? { ...result, central: scores } : result;
}

/** A view that says how many peers have started: until then they have nothing to say themselves. */
function withBeginning(view: LiveView, peers: number, tellWork: WorkTeller): LiveView {
  const what = "starting the peers";
  let begun = 0;
  const end = (): void => tellWork({ what, isOver: true });
  const note = (): void => {
    begun++;
    if (begun < peers) tellWork({ what, done: begun, total: peers });
    else end();
  };
  tellWork({ what, done: 0, total: peers });
  return {
    onEvent: (peer, event) => {
      if (event.type === "started") note();
      view.onEvent(peer, event);
    },
    onExit: (peer) => view.onExit(peer),
    end: () => {
      end();
      view.end();
    },
  };
}

function liveView(terminal: Terminal, manifest: NetworkManifest, peers: number): LiveView {
  const options = { write: terminal.err, manifest, peers };
  if (!terminal.errIsTerminal) return lineView(options);
  return terminalView({
    ...options,
    write: terminal.draw ?? terminal.err,
    now: () => performance.now(),
    columns: terminal.columns,
    rows: terminal.rows,
  });
}

/** A new folder for the peers.  Throws: NodeError DATA_DIRECTORY, DISK_FULL. */
async function temporaryFolder(): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), "weft-testnet-"));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const text = `cannot make a folder in ${tmpdir()}, the system's place for temporary files (${code}); set TMPDIR or give --data-dir`;
    throw new NodeError("DATA_DIRECTORY", text, {}, { cause });
  }
}
