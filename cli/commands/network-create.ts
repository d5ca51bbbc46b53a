/** `weft network create`: the manifest of a new network. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { createNetwork } from "../../node/create-network.ts";
import { NodeError } from "../../node/errors.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import { jsonText } from "../json.ts";
import { modelDirectory } from "../model-directory.ts";
import { networkText, writeNetwork } from "../network-file.ts";
import { headWarning, NETWORK_DEFAULTS, type NetworkOptions, networkSettings } from "../network-options.ts";
import { EXIT_OK, type Terminal } from "../terminal.ts";

export type NetworkCreateOptions = NetworkOptions & {
  readonly name?: string;
  readonly out?: string;
  readonly model?: string;
  readonly bootstrap?: readonly string[];
  readonly force?: boolean;
  readonly json?: boolean;
};

export async function run(options: NetworkCreateOptions, terminal: Terminal): Promise<number> {
  const file = resolve(options.out ?? "network.json");
  const manifest = createNetwork({
    name: options.name ?? "weft",
    modelDirectory: modelDirectory(options.model),
    ...networkSettings(options, NETWORK_DEFAULTS),
    bootstrap: options.bootstrap ?? [],
  });
  const there = options.force ? "nothing" : await contentOf(file, manifest);
  if (there === "something else") {
    const text = `${file} exists and is not this manifest; name another file with --out, or overwrite it with --force`;
    throw new NodeError("CONFIG_INVALID", text, { file });
  }
  if (there === "nothing") await writeNetwork(file, manifest);
  const network = networkId(manifest);
  const warning = headWarning(manifest.head);
  if (warning) terminal.err(`warning: ${warning}\n`);
  const done = there === "nothing" ? `manifest written to ${file}` : `${file} holds this manifest already`;
  terminal.err(`${done}; give this file to everybody who shall join\n`);
  terminal.out(options.json ? jsonText({ network, file, manifest }) : `${network}\n`);
  return EXIT_OK;
}

async function contentOf(file: string, manifest: NetworkManifest): Promise<"nothing" | "the same" | "something else"> {
  try {
    return (await readFile(file, "utf8")) === networkText(manifest) ? "the same" : "something else";
  } catch (error) {
    // A folder, or one that may not be entered, is something that nobody can write a file over.
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "nothing" : "something else";
  }
}
