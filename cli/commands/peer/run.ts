/** `weft run`: one peer, from start to the last round or Ctrl-C. */
import { createPeer, type ModelDigests, NodeError } from "../../../node/index.ts";
import type { CommandRow } from "../../command-row.ts";
import { dataDirectory } from "../../data-directory.ts";
import type { RunOptions } from "../../run-options.ts";
import { DATA_DIR, PEER_OPTIONS, RUN_OPTIONS } from "../../shared-options.ts";
import { EXIT_INTERRUPTED, EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft run`, and what it runs. */
export const runCommand: CommandRow = {
  name: ["run"],
  text: "Run one peer until the last round or Ctrl-C. In each round it trains, exchanges updates with its neighbours and aggregates them.",
  options: [DATA_DIR, ...PEER_OPTIONS, ...RUN_OPTIONS],
  configurable: true,
  example: "weft run --data-dir alice --network network.json --data alice.jsonl --port 9000",
  run,
};

async function run(options: RunOptions, terminal: Terminal): Promise<number> {
  return runPeer(options, terminal);
}

/** `digests`: what is known of model directories that this process has read before. */
export async function runPeer(options: RunOptions, terminal: Terminal, digests?: ModelDigests): Promise<number> {
  if (options.events && options.json) {
    throw new NodeError("CONFIG_INVALID", "--events and --json both fill standard output; give one of them");
  }
  const { tellNews } = await import("../../peer-lines.ts");
  const { peerOptions } = await import("../../run-options.ts");
  const { createStatusWriter } = await import("../../status-file.ts");
  const folder = dataDirectory(options.dataDir, terminal.environment);
  terminal.err(`files of this peer: ${folder}\n`);
  const peer = createPeer({ ...peerOptions(options, folder, terminal), ...(digests && { digests }) });
  const status = createStatusWriter({
    dataDirectory: folder,
    status: () => peer.status(),
    onError: (error) => terminal.err(`status.json: ${error instanceof Error ? error.message : String(error)}\n`),
  });
  peer.events((event) => {
    if (event.type !== "session") status.note(event);
    const manifest = peer.status()?.manifest;
    if (manifest !== undefined) tellNews(event, manifest, options, terminal);
  });
  const stop = (): void => void peer.stop();
  terminal.signal.addEventListener("abort", stop, { once: true });
  try {
    await peer.start();
    // Of an interrupt from before this command began, nobody is told.
    if (terminal.signal.aborted) stop();
    return (await peer.done) === undefined ? EXIT_INTERRUPTED : EXIT_OK;
  } finally {
    terminal.signal.removeEventListener("abort", stop);
    await peer.stop();
    await status.end();
  }
}
