/** `weft run`: one peer, from start to the last round or Ctrl-C. */
import { createPeer, ModelDigests, NodeError } from "../../../node/index.ts";
import { dataDirectory } from "../../data-directory.ts";
import { tellNews } from "../../peer-lines.ts";
import { peerOptions, type RunOptions } from "../../run-options.ts";
import { createStatusWriter } from "../../status-file.ts";
import { EXIT_INTERRUPTED, EXIT_OK, type Terminal } from "../../terminal.ts";

/** One peer by its flags; the exit code. */
export function run(options: RunOptions, terminal: Terminal): Promise<number> {
  return runPeer(options, terminal, new ModelDigests());
}

/** `digests`: what is known of model directories that this process has read before. */
export async function runPeer(options: RunOptions, terminal: Terminal, digests: ModelDigests): Promise<number> {
  if (options.events && options.json) {
    throw new NodeError("CONFIG_INVALID", "--events and --json both fill standard output; give one of them");
  }
  const folder = dataDirectory(options.dataDir, terminal.environment);
  terminal.err(`files of this peer: ${folder}\n`);
  const peer = createPeer({ ...peerOptions(options, folder, terminal), digests });
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
