/** docs/CLI.md, made from the command table: `npm run docs` writes it, a test compares it. */
import type { CommandRow, OptionRow } from "./command-row.ts";
import { COMMANDS } from "./command-table.ts";

/** The whole page in Markdown. */
export function docsPage(): string {
  return `# The command line

Written by \`npm run docs\` from \`cli/commands/\`; do not edit.

Data goes to standard output, talk to standard error. Exit code 0: done. 2: an expected failure, explained in one line
that begins with \`weft:\`. 1: a bug, with its stack. 130: interrupted by Ctrl-C. A peer that SIGTERM stops ends with 0, as
supervisors expect. The first signal stops cleanly, a second one at once. A hang-up stops what stands on a terminal, and is
nothing to what has none (nohup, a supervisor). Started by npx or npm, weft stops when these do. Flags of \`weft run\` may also stand in \`config.json\` in the data directory, by their long names; a flag on the
command line goes before it.

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
