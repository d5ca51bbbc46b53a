/** `weft model base`: the base in a narrow form, made before anything trains on it. */

import { modelDoor } from "../../../node/index.ts";
import { BASE_FORMS, type BaseForm } from "../../../protocol/settings/base-forms.ts";
import { baseLine } from "../../base-line.ts";
import type { CommandRow } from "../../command-row.ts";
import { engineFlags } from "../../engine-flags.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { JSON_OUTPUT, MODEL } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft model base`, and what it runs. */
export const baseModelCommand: CommandRow = {
  name: ["model", "base"],
  text: "Make the base in a form, where it is not in the cache yet, and show its digest: peers with equal digests train on the same weights.",
  options: [
    MODEL,
    ...engineFlags({ only: ["base"] }).map((row) => ({
      ...row,
      text: `form of the base: ${BASE_FORMS.join(", ")}`,
      otherwise: "all narrow ones",
    })),
    JSON_OUTPUT,
  ],
  example: "weft model base --model models/Qwen2.5-0.5B --base q4",
  takesLong: true,
  json: { bases: "of each form of the base: its name, version and digest" },
  run,
};

async function run(
  options: { readonly model?: string; readonly base?: BaseForm; readonly json?: boolean },
  terminal: Terminal,
): Promise<number> {
  const { baseIdentity, openModel } = await modelDoor();
  const { model, files } = openModel(modelDirectory(options.model));
  for (const note of model.notes) terminal.err(`${note}\n`);
  const forms = options.base === undefined ? BASE_FORMS.filter((form) => form !== "f32") : [options.base];
  const bases = forms.map((form) => baseIdentity(model, files, form));
  terminal.out(options.json ? jsonText({ bases }) : bases.map((base) => `${baseLine(base)}\n`).join(""));
  return EXIT_OK;
}
