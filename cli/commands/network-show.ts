/** `weft network show`: what a manifest says. */
import { resolve } from "node:path";
import { parameterCount } from "../../protocol/adapter-spec.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import { formatAdapter } from "../adapter-argument.ts";
import { jsonText } from "../json.ts";
import { readNetwork } from "../network-file.ts";
import { EXIT_OK, type Terminal } from "../terminal.ts";

export async function run(
  options: { readonly json?: boolean },
  terminal: Terminal,
  file: string | undefined,
): Promise<number> {
  const path = resolve(file ?? "");
  const manifest = await readNetwork(path);
  terminal.err(`read from ${path}\n`);
  const network = networkId(manifest);
  terminal.out(options.json ? jsonText({ network, manifest }) : `${lines(network, manifest).join("\n")}\n`);
  return EXIT_OK;
}

function lines(network: string, manifest: NetworkManifest): string[] {
  const { name, seed, model, adapter, tensors, training, rounds, aggregation, reference, encoding, bootstrap } =
    manifest;
  const rows: [string, string][] = [
    ["network", network],
    ["name", name],
    ["seed", String(seed)],
    ["model", `${model.family}, weights ${model.digest.weights}`],
    ["", `config ${model.digest.config}`],
    ["", `tokenizer ${model.digest.tokenizer}`],
    ["adapter", `${formatAdapter(adapter)}, ${parameterCount(tensors)} parameters in ${tensors.length} tensors`],
    ["training", plain(training)],
    ["rounds", `${rounds.count} of ${rounds.localSteps} local steps, deadline ${plain(rounds.deadlineMs)} ms`],
    ["aggregation", plain(aggregation)],
    ["reference", plain(reference)],
    ["encoding", plain(encoding ?? { values: "float32" })],
    ["bootstrap", bootstrap.length > 0 ? bootstrap.join(" ") : "none"],
  ];
  return rows.map(([title, text]) => `${title.padEnd(12)} ${text}`);
}

/** Fields of a settings object in a line: `rule geometric-median, scope tensor`. */
function plain(settings: object): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key} ${typeof value === "object" ? `(${plain(value)})` : value}`)
    .join(", ");
}
