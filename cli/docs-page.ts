/** docs/CLI.md, made from the command table: `npm run docs` writes it, a test compares it. */
import type { CommandRow, OptionRow } from "./command-row.ts";
import { COMMANDS } from "./command-table.ts";
import { EXIT_CODES } from "./exit-code.ts";

/** The whole page in Markdown. */
export function docsPage(): string {
  return `# The command line

Written by \`npm run docs\` from \`cli/commands/\`; do not edit.

Data goes to standard output, talk to standard error; \`--json\` prints one JSON document. A failure that was to be expected is
explained in one line that begins with \`weft:\`. The exit code says what kind it is of:

| code | what happened |
|---|---|
${EXIT_CODES.map(([code, text]) => `| ${code} | ${text} |`).join("\n")}

The first signal stops cleanly, a second one at once. A hang-up stops what stands on a terminal, and is nothing to what has
none (nohup, a supervisor). Started by npx or npm, weft stops when these do.

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

function commandSection({ name, argument, text, options, example }: CommandRow): string {
  const usage = ["weft", ...name, ...(argument ? [`<${argument.name}>`] : []), "[flags]"].join(" ");
  return `## ${usage}

${text}

\`\`\`sh
${example}
\`\`\`

| flag | what it says | otherwise |
|---|---|---|
${options.map(optionRow).join("\n")}
`;
}

function optionRow({ flags, text, otherwise = "" }: OptionRow): string {
  return `| ${[`\`${flags}\``, text, otherwise].map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
