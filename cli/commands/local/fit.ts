/** `weft fit`: what a training would take of this machine's memory. */

import { counted, type Fit, type FitRow, trainingDoor, workDoor } from "../../../node/index.ts";
import { formatBytes, textTable } from "../../../testnet/words/text-table.ts";
import type { CommandRow } from "../../command-row.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { NETWORK_DEFAULTS, type NetworkOptions, networkSettings } from "../../network-options.ts";
import { JSON_OUTPUT, MODEL, networkOptionsNamed } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft fit`, and what it runs. */
export const fitCommand: CommandRow = {
  name: ["fit"],
  text: "Say what a training takes of this machine's memory, for each form of the base. Nothing is loaded.",
  options: [MODEL, ...networkOptionsNamed("adapter", "batch-size", "max-tokens"), JSON_OUTPUT],
  example: "weft fit --model models/Qwen2.5-0.5B --max-tokens 512",
  json: {
    memory: "available and total bytes",
    tokens: "length of the examples",
    rows: "base, lowMemory, needed and fits of each way to train",
    "best?": "the row to take",
  },
  run,
};

type FitCommandOptions = Pick<NetworkOptions, "adapter" | "batchSize" | "maxTokens"> & {
  readonly model?: string;
  readonly json?: boolean;
};

async function run(options: FitCommandOptions, terminal: Terminal): Promise<number> {
  const { fitModel } = await trainingDoor();
  const { adapter, training } = networkSettings(options, NETWORK_DEFAULTS);
  const { batchSize, maxTokens } = training;
  const directory = modelDirectory(options.model);
  const { tellBlocking } = await workDoor();
  const fit = tellBlocking("building graphs", () =>
    fitModel({ modelDirectory: directory, adapter, examples: batchSize, tokens: maxTokens }),
  );
  terminal.out(options.json ? jsonText(fit) : `${fitLines(fit, batchSize).join("\n")}\n`);
  return EXIT_OK;
}

const COLUMNS = ["base", "", "weights", "activations", "in all", ""].map((heading, i) => ({
  heading,
  numeric: i > 1 && i < 5,
}));

function fitLines({ memory, tokens, rows, best }: Fit, examples: number): string[] {
  const { available, total } = memory;
  return [
    `batches of ${examples} x ${counted(tokens, "token")}; ${formatBytes(available)} of ${formatBytes(total)} are available`,
    ...textTable(COLUMNS, rows.map(cells)),
    best ? `take ${flagsOf(best)}` : "nothing fits: lower --batch-size or --max-tokens, or take a smaller model",
  ];
}

const cells = ({ base, needed, fits, ...way }: FitRow): readonly string[] => [
  `--base ${base}`,
  wayFlag(way),
  formatBytes(needed.weights),
  formatBytes(needed.activations),
  formatBytes(needed.total),
  fits ? "fits" : "does not fit",
];

/** The flags of a way of training. */
const flagsOf = ({ base, ...way }: FitRow): string => `--base ${base} ${wayFlag(way)}`.trimEnd();

const wayFlag = ({ lowMemory, streamBlocks }: Pick<FitRow, "lowMemory" | "streamBlocks">): string =>
  streamBlocks ? "--stream-blocks" : lowMemory ? "--low-memory" : "";
