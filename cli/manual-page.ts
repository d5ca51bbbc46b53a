/** The manual page weft(1), made from the command table: `npm run docs` writes docs/weft.1, a test compares it. */
import { type CommandRow, longName } from "./command-row.ts";
import { COMMANDS } from "./command-table.ts";
import { EXIT_CODES } from "./exit-code.ts";

/** The page in roff, of the man macros. */
export function manualPage(): string {
  return [
    '.TH WEFT 1 "" "weft" "User Commands"',
    ".SH NAME",
    "weft \\- peer\\-to\\-peer fine\\-tuning of transformer models, with no server anywhere",
    ".SH SYNOPSIS",
    ".B weft",
    ".I command",
    "[flags]",
    ".SH COMMANDS",
    ...COMMANDS.flatMap(commandLines),
    ".SH ENVIRONMENT",
    "Every flag may also be given by a variable: WEFT_PORT=9000 stands for \\-\\-port 9000. The command line goes before the",
    "environment, and the environment before the configuration file.",
    ".SH FILES",
    ".TP",
    ".I config.toml",
    "In the data directory: flags of weft run by their long names.",
    ".SH EXIT STATUS",
    ...EXIT_CODES.flatMap(([code, text]) => [".TP", `.B ${code}`, roff(text)]),
    "",
  ].join("\n");
}

function commandLines({ name, text, argument, options, example }: CommandRow): string[] {
  const flags = options.flatMap((option) => {
    const [, value] = /(<.+>)$/.exec(option.flags) ?? [];
    const otherwise = option.otherwise === undefined ? "" : ` Otherwise: ${option.otherwise}.`;
    return [
      ".TP",
      `.B ${roff(`--${longName(option)}`)}${value ? ` \\fI${roff(value)}\\fR` : ""}`,
      roff(`${option.text}.${otherwise}`),
    ];
  });
  const usage = [
    "weft",
    ...name,
    ...(argument ? [argument.optional ? `[${argument.name}]` : `<${argument.name}>`] : []),
  ];
  return [`.SS ${roff(usage.join(" "))}`, roff(text), ...flags, ".PP", "Example:", ".EX", roff(example), ".EE"];
}

/** A text that roff takes as it stands: hyphens that can be copied, and no line that begins as a request. */
function roff(text: string): string {
  const escaped = text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}
