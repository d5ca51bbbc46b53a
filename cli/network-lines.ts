/** A network's manifest and signatures in words, a line each. */
import { counted } from "../node/index.ts";
import { parameterCount } from "../protocol/adapter-spec.ts";
import { type Genesis, genesisStatus } from "../protocol/membership/genesis.ts";
import { describeMembership, rosterSettings } from "../protocol/membership/settings.ts";
import { type AgreedBase, type NetworkManifest, networkId } from "../protocol/network-manifest.ts";
import { formatAdapter } from "./adapter-argument.ts";

/** Everything that a manifest says. */
export function manifestLines(manifest: NetworkManifest): readonly string[] {
  const {
    name,
    seed,
    model,
    base,
    adapter,
    head,
    frame,
    tensors,
    training,
    rounds,
    aggregation,
    reference,
    encoding,
    bootstrap,
  } = manifest;
  const [first = "", ...rest] = describeMembership(manifest.membership);
  const rows: [string, string][] = [
    ["network", networkId(manifest)],
    ["name", name],
    ["seed", String(seed)],
    ["model", `${model.family}, weights ${model.digest.weights}`],
    ["", `config ${model.digest.config}`],
    ["", `tokenizer ${model.digest.tokenizer}`],
    ...(base === undefined ? [] : [["base", baseWords(base)] satisfies [string, string]]),
    [
      "adapter",
      `${formatAdapter(adapter)}, ${counted(parameterCount(tensors), "parameter")} in ${counted(tensors.length, "tensor")}`,
    ],
    ...(head === undefined ? [] : [["head", head] satisfies [string, string]]),
    ...(frame === undefined ? [] : [["frame", frameWords(frame)] satisfies [string, string]]),
    ["training", plain(training)],
    [
      "rounds",
      `${rounds.count} of ${counted(rounds.localSteps, "local step")}, deadline ${plain(rounds.deadlineMs)} ms`,
    ],
    ["aggregation", plain(aggregation)],
    ["reference", plain(reference)],
    ["encoding", plain(encoding ?? { values: "float32" })],
    ["bootstrap", bootstrap.length > 0 ? bootstrap.join(" ") : "none"],
    ...successionRows(manifest),
    ["membership", first],
    ...rest.map((line): [string, string] => ["", line]),
  ];
  return rows.map(([title, text]) => `${title.padEnd(12)} ${text}`);
}

/** Who has signed a genesis, and who has yet to; nothing of an open network. */
export function signatureLines(genesis: Genesis): readonly string[] {
  const settings = rosterSettings(genesis.manifest);
  if (settings === undefined) return [];
  if (genesis.manifest.succeeds !== undefined) {
    return [
      `${"signatures".padEnd(12)} none of its own: the roster agrees to it (weft members pending, weft members list)`,
    ];
  }
  const { signed, missing, threshold, isValid } = genesisStatus(genesis);
  const admins = settings.founders.filter(({ role }) => role === "admin").length;
  const count = `${admins - missing.length} of ${counted(admins, "admin has", "admins have")} signed, ${counted(threshold, "is", "are")} needed`;
  return [
    `${"signatures".padEnd(12)} ${count}: ${isValid ? "valid" : "NOT VALID YET"}`,
    ...signed.map((peer) => `${"".padEnd(12)}   ${peer} signed`),
    ...missing.map((peer) => `${"".padEnd(12)}   ${peer} has not signed`),
  ];
}

/** The form of a base, and its digest in full. */
const baseWords = (base: AgreedBase): string =>
  base.form === "f32" ? "f32, the model's own weights" : `${base.form}, digest ${base.digest}`;

const frameWords = (frame: NonNullable<NetworkManifest["frame"]>): string =>
  frame.kind === "turns" ? "turns on lines of their own" : `the chat template with digest ${frame.digest}`;

function successionRows({ succeeds }: NetworkManifest): [string, string][] {
  if (succeeds === undefined) return [];
  return [
    ["succeeds", `${succeeds.network}, from round ${succeeds.round} on`],
    ["", `the roster is that of ${succeeds.first}`],
  ];
}

/** Fields of a settings object in a line: `rule geometric-median, scope tensor`. */
function plain(settings: object): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key} ${typeof value === "object" ? `(${plain(value)})` : value}`)
    .join(", ");
}
