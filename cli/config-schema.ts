/** The JSON Schema of the configuration file, made from the flags of `weft run`: `npm run docs` writes docs/config.schema.json. */
import { longName, type OptionRow, takesValue } from "./command-row.ts";
import { runCommand } from "./commands/peer/run.ts";
import { configurableOptions } from "./config-file.ts";
import { jsonText } from "./json.ts";

/** The schema as its file holds it.  Source: JSON Schema 2020-12. */
export function configSchema(): string {
  const options = configurableOptions(runCommand);
  return jsonText({
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "weft configuration",
    description: "Flags of weft run by their long names; config.toml or config.json in a peer's data directory.",
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(options.map((option) => [longName(option), propertyOf(option)])),
  });
}

function propertyOf(option: OptionRow): object {
  const about = { description: option.text };
  if (!takesValue(option)) return { type: "boolean", ...about };
  const one = option.parse?.values ? { enum: option.parse.values } : { type: ["string", "number"] };
  return option.repeatable ? { anyOf: [one, { type: "array", items: one }], ...about } : { ...one, ...about };
}
