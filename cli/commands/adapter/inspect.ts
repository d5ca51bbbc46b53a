/** `weft adapter inspect`: what an adapter's folder holds, without the model it belongs to. */

import { resolve } from "node:path";
import { modelDoor } from "../../../node/index.ts";
import { textTable } from "../../../testnet/words/text-table.ts";
import type { CommandRow } from "../../command-row.ts";
import { jsonText } from "../../json.ts";
import { JSON_OUTPUT } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";
import { visibleLine } from "../../visible-text.ts";

/** The row of `weft adapter inspect`, and what it runs. */
export const inspectAdapterCommand: CommandRow = {
  name: ["adapter", "inspect"],
  text: "Show the contents of an adapter's folder.",
  argument: { name: "folder", text: "an adapter of weft, PEFT or pyreft" },
  options: [JSON_OUTPUT],
  example: "weft adapter inspect alice-lora",
  json: {
    folder: "the folder",
    parameters: "number of values",
    format: "whose form it has",
    facts: "settings as the files say them",
    tensors: "name, shape and norm of each tensor",
  },
  run,
};

async function run(
  options: { readonly json?: boolean },
  terminal: Terminal,
  argument: string | undefined,
): Promise<number> {
  const { adapterFacts } = await import("../../adapter-facts.ts");
  const { readAdapterFolder } = await modelDoor();
  const folder = resolve(argument ?? ".");
  const files = await readAdapterFolder(folder);
  const found = adapterFacts(files, folder);
  const parameters = found.tensors.reduce((sum, { shape }) => sum + shape.reduce((n, d) => n * d, 1), 0);
  if (options.json) {
    terminal.out(jsonText({ folder, parameters, ...found }));
    return EXIT_OK;
  }
  const facts = { format: found.format, ...found.facts, parameters };
  const width = Math.max(...Object.keys(facts).map((key) => key.length));
  const lines = Object.entries(facts).map(([key, value]) => visibleLine(`${key.padEnd(width)}  ${shown(value)}`));
  const columns = [
    { heading: "tensor", numeric: false },
    { heading: "shape", numeric: false },
    { heading: "norm", numeric: true },
  ];
  const rows = found.tensors.map(({ name, shape, norm }) => [name, shape.join(" x "), norm?.toPrecision(4) ?? ""]);
  terminal.out(`${[...lines, "", ...textTable(columns, rows)].join("\n")}\n`);
  return EXIT_OK;
}

const shown = (value: unknown): string => (Array.isArray(value) ? value.join(", ") : String(value));
