/** `weft data check`: what a file of data is, and what training would make of it. */

import { counted, type DataReport, modelDoor, NodeError } from "../../../node/index.ts";
import { textTable } from "../../../testnet/words/text-table.ts";
import type { CommandRow } from "../../command-row.ts";
import { type DataFlags, dataOptions, READING } from "../../data-options.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { NETWORK_DEFAULTS, type NetworkOptions } from "../../network-options.ts";
import { integer } from "../../option-value.ts";
import { JSON_OUTPUT, MODEL, networkOptionsNamed } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";
import { visibleLine } from "../../visible-text.ts";

const ROWS = 3;

/** The row of `weft data check`, and what it runs. */
export const checkDataCommand: CommandRow = {
  name: ["data", "check"],
  text: "Say what a file of data is and what training would make of it. Nothing is trained.",
  argument: { name: "file", text: "a file or a folder as --data takes it, or - for standard input" },
  options: [
    MODEL,
    ...READING,
    ...networkOptionsNamed("batch-size", "max-tokens"),
    { flags: "--rows <count>", text: "examples to show", parse: integer(0, 10_000), otherwise: String(ROWS) },
    JSON_OUTPUT,
  ],
  takesLong: true,
  example: "weft data check alice.jsonl --max-tokens 256",
  json: {
    file: "the file",
    form: "what it is",
    records: "number of records",
    examples: "number of examples",
    frames: "records by the frame that they are trained in",
    tokens: "min, median, max and bins of lengths",
    maxTokens: "where examples are cut",
    cut: "records cut at the left and at the right, and tokens lost",
    repeated: "records that say what another says",
    labels: "answers by how often they are given",
    sets: "examples to train, validate and test on",
    shown: "a few examples in parts, with what is learnt",
    warnings: "what to look at",
  },
  run,
};

type DataCheckCommandOptions = Omit<DataFlags, "data"> &
  Pick<NetworkOptions, "batchSize" | "maxTokens"> & {
    readonly model?: string;
    readonly rows?: number;
    readonly json?: boolean;
  };

async function run(
  options: DataCheckCommandOptions,
  terminal: Terminal,
  argument: string | undefined,
): Promise<number> {
  const { checkData, openModel } = await modelDoor();
  if (argument === undefined) throw new NodeError("CONFIG_INVALID", "name a file of data, or - for standard input");
  const directory = modelDirectory(options.model);
  const { training } = NETWORK_DEFAULTS;
  const context = openModel(directory).model.shape.contextTokens;
  const report = await checkData({
    file: argument,
    ...dataOptions({ ...options, data: argument }),
    modelDirectory: directory,
    maxTokens: Math.min(options.maxTokens ?? training.maxTokens, context),
    batchSize: options.batchSize ?? training.batchSize,
    rows: options.rows ?? ROWS,
  });
  terminal.out(options.json ? jsonText(report) : `${reportLines(report).join("\n")}\n`);
  return EXIT_OK;
}

const LABELS_SHOWN = 20;
const BAR_WIDTH = 40;

function reportLines(report: DataReport): string[] {
  const { file, form, frames, tokens, maxTokens, cut, repeated, sets, shown, warnings } = report;
  const framed = Object.entries(frames).map(([frame, count]) => `${frame} (${count})`);
  const facts = [
    ["file", `${file}: ${form}`],
    ["frame", framed.join(", ")],
    ["examples", `${report.examples} of ${counted(report.records, "record")}`],
    ["tokens", `${tokens.min} to ${tokens.max}, median ${tokens.median}`],
    [
      "cut",
      `at ${maxTokens} tokens ${counted(cut.left, "record")} at the left, ${cut.right} at the right; ${counted(cut.tokens, "token")}`,
    ],
    ["repeated", counted(repeated, "record")],
    ["sets", `${sets.train} to train, ${sets.validation} to validate, ${sets.test} to test`],
  ].map(([name = "", value = ""]) => visibleLine(`${name.padEnd(9)} ${value}`));
  return [
    ...facts,
    ...histogram(report),
    ...labelLines(report),
    ...(shown.length > 0 ? ["", "as they are trained, what is learnt in ⟦ ⟧:"] : []),
    ...shown.flatMap((parts) => ["", parts.map(({ text, learnt }) => (learnt ? `⟦${text}⟧` : text)).join("")]),
    ...(warnings.length > 0 ? [""] : []),
    ...warnings.map((warning) => visibleLine(`warning: ${warning}`)),
  ];
}

function histogram({ tokens: { bins } }: DataReport): string[] {
  const most = Math.max(1, ...bins.map(({ examples }) => examples));
  const rows = bins.map(({ upTo, examples }) => [
    `up to ${upTo}`,
    String(examples),
    "#".repeat(Math.ceil((BAR_WIDTH * examples) / most)),
  ]);
  const columns = [
    { heading: "tokens", numeric: true },
    { heading: "examples", numeric: true },
    { heading: "", numeric: false },
  ];
  return rows.length > 0 ? ["", ...textTable(columns, rows)] : [];
}

function labelLines({ labels }: DataReport): string[] {
  const rows = Object.entries(labels).map(([label, count]) => [label, String(count)]);
  if (rows.length === 0) return [];
  const columns = [
    { heading: "answer", numeric: false },
    { heading: "records", numeric: true },
  ];
  const more = rows.length > LABELS_SHOWN ? [`and ${counted(rows.length - LABELS_SHOWN, "more answer")}`] : [];
  return ["", ...textTable(columns, rows.slice(0, LABELS_SHOWN)), ...more];
}
