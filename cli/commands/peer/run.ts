/** `weft run`: one peer, from start to the last round or Ctrl-C. */
import {
  type AdminInterface,
  adminDoor,
  createPeer,
  type ModelDigests,
  NodeError,
  type Peer,
  PeerNames,
  type PeerStatus,
  type ServedAdmin,
  workDoor,
} from "../../../node/index.ts";
import { ProtocolError } from "../../../protocol/errors.ts";
import type { CommandRow } from "../../command-row.ts";
import { dataDirectory } from "../../data-directory.ts";
import { EVENT_LINES, PEER_REPORT_JSON } from "../../json-shapes.ts";
import { packageVersion } from "../../package-folder.ts";
import { errorLine } from "../../remedies.ts";
import type { RunOptions } from "../../run-options.ts";
import { DATA_DIR, PEER_OPTIONS, RUN_OPTIONS } from "../../shared-options.ts";
import { refuseTwoForms } from "../../telling.ts";
import { EXIT_OK, stoppedCode, type Terminal } from "../../terminal.ts";

/** The row of `weft run`, and what it runs. */
export const runCommand: CommandRow = {
  name: ["run"],
  text: "Run one peer until the last round or Ctrl-C. In each round it trains, exchanges updates with its neighbours and aggregates them.",
  options: [DATA_DIR, ...PEER_OPTIONS, ...RUN_OPTIONS],
  configurable: true,
  takesLong: true,
  staysOn: true,
  endsInOrder: true,
  example: "weft run --data-dir alice --network network.json --data alice.jsonl --port 9000",
  json: PEER_REPORT_JSON,
  jsonl: EVENT_LINES,
  run,
};

async function run(options: RunOptions, terminal: Terminal): Promise<number> {
  return runPeer(options, terminal);
}

/** `digests`: what is known of model directories that this process has read before. */
export async function runPeer(options: RunOptions, terminal: Terminal, digests?: ModelDigests): Promise<number> {
  refuseTwoForms(options);
  const { tellNews } = await import("../../peer-lines.ts");
  const { tellPeerWork } = await import("../../peer-work.ts");
  const { saveCompiledCode, tellWork } = await workDoor();
  const { peerOptions } = await import("../../run-options.ts");
  const { createStatusWriter } = await import("../../status-file.ts");
  const folder = dataDirectory(options.dataDir, terminal.environment);
  terminal.err(`files of this peer: ${folder}\n`);
  const peer = createPeer({ ...peerOptions(options, folder, terminal), ...(digests && { digests }) });
  const admin = await adminOf(peer, options, { folder, stop: () => void peer.stop() });
  let isGone = false;
  const status = createStatusWriter({
    dataDirectory: folder,
    status: () => peer.status(),
    onError: (error) => terminal.err(`status.json: ${error instanceof Error ? error.message : String(error)}\n`),
    onGone: () => {
      isGone = true;
      void peer.stop();
    },
  });
  const names = new PeerNames();
  peer.events((event) => {
    if (event.type === "started") saveCompiledCode();
    if (event.type !== "session") status.note(event);
    const manifest = peer.status()?.manifest;
    if (manifest === undefined) return;
    tellPeerWork(event, manifest, tellWork);
    tellNews(event, { manifest, names }, options, terminal);
  });
  const stop = (): void => void peer.stop();
  let failure: string | undefined;
  terminal.signal.addEventListener("abort", stop, { once: true });
  try {
    // Of an interrupt from before this command began, nobody is told.
    if (terminal.signal.aborted) stop();
    await peer.start();
    if (admin !== undefined && !terminal.signal.aborted) tellPlace(await admin.serve(), options, terminal);
    const isFinished = (await peer.done) !== undefined;
    await peer.stop();
    if (isGone) {
      const text = `the key in ${folder} was taken away while the peer ran; what is there now is no whole peer: start from a copy, or with a new --data-dir`;
      throw new NodeError("DATA_DIRECTORY", text, { folder });
    }
    const isAskedToStop = admin?.isAskedToStop === true;
    if (terminal.signal.aborted || isAskedToStop) terminal.err(`${stoppedLine(peer.status())}\n`);
    return isFinished || isAskedToStop ? EXIT_OK : stoppedCode(terminal.signal);
  } catch (error) {
    failure = failureWords(error);
    throw error;
  } finally {
    terminal.signal.removeEventListener("abort", stop);
    await admin?.close();
    await peer.stop();
    await status.end(failure);
  }
}

/** What ended a peer, for whoever asks for its status later. */
function failureWords(error: unknown): string {
  if (error instanceof NodeError || error instanceof ProtocolError) return errorLine(error);
  return `a bug of weft: ${error instanceof Error ? error.message : String(error)}`;
}

/** The admin interface that the flags ask for; it listens to the peer from now on, and is served later. */
async function adminOf(
  peer: Peer,
  { admin, page = false, canBeCutOff = false, ...settings }: RunOptions,
  { folder, stop }: { readonly folder: string; readonly stop: () => void },
): Promise<AdminInterface | undefined> {
  if (admin === "off" && page) {
    throw new NodeError("CONFIG_INVALID", "the page is a part of the admin interface; leave out --page or --admin off");
  }
  if (admin === "off") return undefined;
  const { AdminInterface, parseAdminAddress } = await adminDoor();
  const address = admin === undefined ? undefined : parseAdminAddress(admin);
  if (page && address?.kind === "socket") {
    throw new NodeError("CONFIG_INVALID", "a browser opens no socket in the file system; give --admin a port");
  }
  const interfaceOfPeer = new AdminInterface(peer, {
    ...{ dataDirectory: folder, version: packageVersion(), settings, stop, page, canBeCutOff },
    ...(address && { address }),
  });
  await interfaceOfPeer.prepare();
  return interfaceOfPeer;
}

/** Where the interface and the page are. The token goes to a terminal only: what is not one may be kept by many. */
function tellPlace({ place, token, tokenFile }: ServedAdmin, { page }: RunOptions, terminal: Terminal): void {
  if (page !== true) terminal.err(`admin interface: ${place}\n`);
  else if (terminal.errIsTerminal) terminal.err(`page: ${place}/#${token}\n`);
  else terminal.err(`page: ${place}/ (it asks for what is in ${tokenFile})\n`);
}

/** What a person reads once a peer was stopped. */
function stoppedLine(status: PeerStatus | undefined): string {
  if (status === undefined) return "stopped before it had found its network";
  const { view, manifest } = status;
  if (view.peer === undefined) return "stopped before it had started; the same command goes on from where it was";
  if (view.roundsDone >= manifest.rounds.count) return "stopped; all rounds are done";
  return `stopped after round ${view.roundsDone} of ${manifest.rounds.count}; the same command goes on from there`;
}
