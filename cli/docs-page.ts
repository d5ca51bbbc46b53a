/** docs/CLI.md, made from the command table: `npm run docs` writes it, a test compares it. */
import type { CommandRow, OptionRow } from "./command-row.ts";
import { COMMANDS } from "./command-table.ts";
import { EXIT_CODES } from "./exit-code.ts";
import { ERROR_KEYS, type JsonShape } from "./json.ts";

/** The whole page in Markdown. */
export function docsPage(): string {
  return `# The command line

Written by \`npm run docs\` from \`cli/commands/\`; do not edit.

Data goes to standard output, talk to standard error. A failure that was to be expected is explained in one line that begins
with \`weft:\`. The exit code says what kind it is of:

| code | what happened |
|---|---|
${EXIT_CODES.map(([code, text]) => `| ${code} | ${text} |`).join("\n")}

The first signal stops cleanly, a second one at once. A hang-up stops what stands on a terminal, and is nothing to what has
none (nohup, a supervisor). Started by npx or npm, weft stops when these do.

Every command takes \`--json\`: standard output then holds one JSON document, in every case. Its keys stand below at each
command; later versions may add keys. A command that fails prints an object with the one key \`error\`, unless its document is
there already, and the line on standard error and the exit code stay as they are:

| key of \`error\` | what it holds |
|---|---|
${shapeRows(ERROR_KEYS)}

\`--format jsonl\`, of commands that work for long, prints a line of JSON for each thing that happens, with its \`type\`, while it
happens. The last line has the type \`result\` (\`finished\` of a peer) and the keys of \`--json\`; or it is such an object with
\`error\`.

Whatever takes more than two seconds says how far it is, on standard error: on a terminal in one line that is drawn over, elsewhere
in a line every few seconds. \`--quiet\` leaves that and all other talk out, but for warnings and failures.

A flag may also be given by a variable of the environment: \`WEFT_PORT=9000\` for \`--port 9000\`; 1 and 0 switch on and off what
takes no value, and commas part several values. Only \`--without-quorum\` is never taken from there. Flags of \`weft run\` may
stand in a file, too: \`config.toml\` (or \`config.json\`) in the data directory, or the file that \`--config\` names, by their
long names; [config.schema.json](config.schema.json) is its schema. The command line goes before the environment, and the
environment before the file; \`weft config show\` says which value holds and who gave it.

Copies of weights, and code that was compiled once, stand in the user's folder for caches; \`WEFT_CACHE\` names another. It
may be removed at any time.

\`source <(weft completion bash)\` completes commands and flags in bash; there are scripts for zsh and fish, too. The package
brings this page as weft(1).

${COMMANDS.map(commandSection).join("\n")}`;
}

function commandSection({ name, argument, text, options, example, json, jsonl }: CommandRow): string {
  const usage = ["weft", ...name, ...(argument ? [`<${argument.name}>`] : []), "[flags]"].join(" ");
  return `## ${usage}

${text}

\`\`\`sh
${example}
\`\`\`

| flag | what it says | otherwise |
|---|---|---|
${options.map(optionRow).join("\n")}
${shapeTable("key with `--json`", json)}${shapeTable("line with `--format jsonl`", jsonl)}`;
}

function shapeTable(heading: string, shape: JsonShape | undefined): string {
  if (shape === undefined) return "";
  return `
| ${heading} | what it holds |
|---|---|
${shapeRows(shape)}
`;
}

const shapeRows = (shape: JsonShape): string =>
  Object.entries(shape)
    .map(([key, text]) => `| ${shapeKey(key)} | ${text.replaceAll("|", "\\|")} |`)
    .join("\n");

/** `*` stands for all keys, and a key that may be missing is followed by a question mark. */
function shapeKey(key: string): string {
  if (key === "*") return "all";
  return key.endsWith("?") ? `\`${key.slice(0, -1)}\`?` : `\`${key}\``;
}

function optionRow({ flags, text, otherwise = "" }: OptionRow): string {
  return `| ${[`\`${flags}\``, text, otherwise].map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
