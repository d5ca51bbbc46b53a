/** Completion of `weft` in a shell, made from the command table: a script that the shell reads once and that starts nothing. */
import { type CommandRow, longName, type OptionRow, takesValue } from "./command-row.ts";

/** Shells that there is a script for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
/** One of SHELLS. */
export type Shell = (typeof SHELLS)[number];

/** The script for a shell. */
export function completionScript(shell: Shell, commands: readonly CommandRow[]): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](commands);
}

/** What may stand after a flag: words, a file, a folder, or something that nobody can guess. */
function afterFlag(option: OptionRow): { readonly words?: readonly string[]; readonly kind?: "file" | "folder" } {
  if (option.parse?.values) return { words: option.parse.values };
  const [, placeholder] = /<(\w+)>/.exec(option.flags) ?? [];
  return placeholder === "file" || placeholder === "folder" ? { kind: placeholder } : {};
}

/** The first words of commands, each with the second words under it; none for a command of one word. */
function firstWords(commands: readonly CommandRow[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { name } of commands) groups.set(name[0]!, [...(groups.get(name[0]!) ?? []), ...name.slice(1)]);
  return groups;
}

const path = ({ name }: CommandRow): string => name.join(" ");
const flagsOf = ({ options }: CommandRow): string =>
  ["help", ...options.map(longName)].map((name) => `--${name}`).join(" ");

/** Flags of a command under which others stand. */
function ownFlags(commands: readonly CommandRow[], first: string): readonly string[] {
  const own = commands.find(({ name }) => name.length === 1 && name[0] === first);
  return own === undefined ? [] : [flagsOf(own)];
}

function bashScript(commands: readonly CommandRow[]): string {
  const groups = [...firstWords(commands)].filter(([, second]) => second.length > 0);
  const groupPattern = groups.map(([first]) => first).join("|");
  const values = commands.flatMap((row) =>
    row.options.filter(takesValue).map((option) => {
      const { words, kind } = afterFlag(option);
      const found = words ? `-W "${words.join(" ")}"` : { file: "-f", folder: "-d", none: "-W ''" }[kind ?? "none"];
      return `    "${path(row)} --${longName(option)}") COMPREPLY=($(compgen ${found} -- "$current")); return ;;`;
    }),
  );
  return `# weft completion for bash: source <(weft completion bash)
_weft() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}" command="\${COMP_WORDS[1]}" choices
  case "$command" in
    ${groupPattern}) if ((COMP_CWORD > 2)) && [[ "\${COMP_WORDS[2]}" != -* ]]; then command="$command \${COMP_WORDS[2]}"; fi ;;
  esac
  if ((COMP_CWORD == 1)); then command=""; fi
  case "$command $previous" in
${values.join("\n")}
  esac
  case "$command" in
    "") choices="${[...firstWords(commands).keys(), "help", "--help", "--version"].join(" ")}" ;;
${groups.map(([first, second]) => `    "${first}") choices="${[...second, ...ownFlags(commands, first)].join(" ")}" ;;`).join("\n")}
${commands
  .filter(({ name: [first = "", second] }) => second !== undefined || !groups.some(([group]) => group === first))
  .map((row) => `    "${path(row)}") choices="${flagsOf(row)}" ;;`)
  .join("\n")}
  esac
  if [[ "$current" != -* && "$command" != "" && "$choices" == --* ]]; then COMPREPLY=($(compgen -f -- "$current")); return; fi
  COMPREPLY=($(compgen -W "$choices" -- "$current"))
}
complete -o filenames -F _weft weft
`;
}

/** A text as one word of zsh and fish. */
const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "'\\''")}'`;
/** A text within a specification of zsh's _arguments and _describe, where brackets and colons part fields. */
const described = (text: string): string => text.replace(/[[\]:\\]/g, "\\$&");

function zshScript(commands: readonly CommandRow[]): string {
  const lines = [...firstWords(commands)].flatMap(([first, second]) => {
    const rows = commands.filter(({ name }) => name[0] === first);
    if (second.length === 0) return [`    ${first}) ${zshArguments(rows[0]!)} ;;`];
    const own = rows.find(({ name }) => name.length === 1);
    const under = rows.filter((row) => row !== own);
    const names = under.map((row) => quoted(`${row.name[1]}:${described(row.text)}`)).join(" ");
    const inner = under.map((row) => `        ${row.name[1]}) shift words; ((CURRENT--)); ${zshArguments(row)} ;;`);
    return [
      `    ${first})`,
      `      if ((CURRENT == 2)); then local -a names=(${names}); _describe command names; return; fi`,
      `      case "$words[2]" in`,
      ...inner,
      ...(own === undefined ? [] : [`        -*) ${zshArguments(own)} ;;`]),
      "      esac ;;",
    ];
  });
  const first = [...firstWords(commands).keys()].map((name) => {
    const only = commands.find((row) => row.name.length === 1 && row.name[0] === name);
    return quoted(`${name}:${described(only?.text ?? `commands about ${name}`)}`);
  });
  return `#compdef weft
# weft completion for zsh: weft completion zsh > a folder of $fpath/_weft
_weft() {
  if ((CURRENT == 2)); then
    local -a names=(${first.join(" ")})
    _describe command names
    return
  fi
  shift words
  ((CURRENT--))
  case "$words[1]" in
${lines.join("\n")}
  esac
}
if [[ "$funcstack[1]" == _weft ]]; then _weft "$@"; else compdef _weft weft; fi
`;
}

function zshArguments(row: CommandRow): string {
  const specs = row.options.map((option) => {
    const { words, kind } = afterFlag(option);
    const action = words ? `(${words.join(" ")})` : { file: "_files", folder: "_files -/", none: " " }[kind ?? "none"];
    const value = takesValue(option) ? `:${longName(option)}:${action}` : "";
    return quoted(`${option.repeatable ? "*" : ""}--${longName(option)}[${described(option.text)}]${value}`);
  });
  return ["_arguments", ...specs, ...(row.argument ? [quoted(`1:${row.argument.name}:_files`)] : [])].join(" ");
}

function fishScript(commands: readonly CommandRow[]): string {
  const groups = firstWords(commands);
  const first = [...groups.keys()].map((name) => {
    const only = commands.find((row) => row.name.length === 1 && row.name[0] === name);
    return `complete -c weft -f -n __fish_use_subcommand -a ${name} -d ${quoted(only?.text ?? `commands about ${name}`)}`;
  });
  const rest = commands.flatMap((row) => {
    const [one = "", two] = row.name;
    const seconds = groups.get(one)!.join(" ");
    const beside = seconds === "" ? "" : `; and not __fish_seen_subcommand_from ${seconds}`;
    const isChosen = `__fish_seen_subcommand_from ${one}${two === undefined ? beside : `; and __fish_seen_subcommand_from ${two}`}`;
    const second =
      two === undefined
        ? []
        : [
            `complete -c weft -f -n ${quoted(`__fish_seen_subcommand_from ${one}; and not __fish_seen_subcommand_from ${seconds}`)} -a ${two} -d ${quoted(row.text)}`,
          ];
    return [...second, ...row.options.map((option) => fishFlag(option, isChosen))];
  });
  return `# weft completion for fish: weft completion fish > ~/.config/fish/completions/weft.fish\n${[...first, ...rest].join("\n")}\n`;
}

function fishFlag(option: OptionRow, isChosen: string): string {
  const { words, kind } = afterFlag(option);
  const value = !takesValue(option) ? "" : words ? ` -x -a ${quoted(words.join(" "))}` : kind ? " -r -F" : " -x";
  return `complete -c weft -n ${quoted(isChosen)} -l ${longName(option)}${value} -d ${quoted(option.text)}`;
}
