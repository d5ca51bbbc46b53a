/** The command line as a whole: parses by the command table, runs the command, says in one line what is wrong. */
import { Command, CommanderError, Option } from "commander";
import { NodeError, workDoor } from "../node/index.ts";
import { closestName } from "../protocol/closest-name.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { type CommandRow, longName, type OptionRow, takesValue } from "./command-row.ts";
import { COMMANDS } from "./command-table.ts";
import { misspelt } from "./environment.ts";
import { exitCodeOf } from "./exit-code.ts";
import { refuseIdleFlags } from "./flag-rules.ts";
import { askedForm, failureOf, formOf } from "./json.ts";
import { JsonOutput } from "./json-output.ts";
import { parserOf } from "./option-value.ts";
import { otherName } from "./other-names.ts";
import { packageVersion } from "./package-folder.ts";
import { Progress, type ProgressOptions } from "./progress.ts";
import { quietTerminal } from "./quiet-terminal.ts";
import { errorLine, type GivenCommand, remedyOf } from "./remedies.ts";
import { applySettings } from "./setting-sources.ts";
import { EXIT_INTERRUPTED, EXIT_OK, EXIT_REFUSED, EXIT_UNEXPECTED, Interruption, type Terminal } from "./terminal.ts";
import { visibleLine, visibleTerminal } from "./visible-text.ts";

/**
 * Run one command line, without the program's name.  Returns the exit code, of EXIT_CODES; an expected failure
 * is explained in one line on standard error.  Throws: whatever nobody expected.
 */
export async function runCommandLine(words: readonly string[], given: Terminal): Promise<number> {
  const output = new JsonOutput(visibleTerminal(given), askedForm(words));
  const { terminal } = output;
  let exitCode = EXIT_OK;
  let chosen: CommandRow | undefined;
  if (words.length === 0) {
    terminal.err(buildProgram(terminal, async () => undefined).helpInformation());
    return EXIT_REFUSED;
  }
  const program = buildProgram(terminal, async (row, command) => {
    chosen = row;
    for (const [name, near] of misspelt(COMMANDS, terminal.environment)) {
      terminal.err(`${name} in the environment is no flag of weft; did you mean ${near}?\n`);
    }
    await applySettings(command, row, terminal);
    refuseIdleFlags(row, {
      value: (name) => command.getOptionValue(name),
      isTyped: (name) => command.getOptionValueSource(name) === "cli",
    });
    const flags = command.opts();
    output.form = formOf(flags);
    const { takesLong = false, staysOn = row.staysOnWith !== undefined && flags[row.staysOnWith] === true } = row;
    const shown = flags.quiet === true ? quietTerminal(terminal) : terminal;
    exitCode = await withProgress(shown, { takesLong, staysOn }, (told) =>
      untilStopped(row, told, () => row.run(flags, told, argumentOf(row, command))),
    );
    output.end(exitCode);
  });
  try {
    await program.parseAsync(meant(words), { from: "user" });
    return exitCode;
  } catch (error) {
    return failed(error, { chosen, words }, output);
  }
}

/** Throws: CommanderError for an empty text, as of a variable that is not set, and for one that no system has as a path. */
function argumentOf({ argument }: CommandRow, { args }: Command): string | undefined {
  const text = argument?.several && args.length > 0 ? args.join(" ") : args[0];
  if (argument === undefined || text === undefined) return text;
  const what = text.trim() === "" ? "is an empty text" : text.includes("\0") ? "has a character of code 0" : undefined;
  if (what === undefined) return text;
  throw new CommanderError(EXIT_REFUSED, "weft.argument", `error: argument '${argument.name}' ${what}`);
}

/**
 * Run something that is a command's work, until it is done or the person stops it. What has no end of its own in order is left
 * where it stands, without half a file behind it.
 */
async function untilStopped(
  { endsInOrder }: CommandRow,
  { signal, err }: Terminal,
  run: () => Promise<number>,
): Promise<number> {
  if (endsInOrder === true) return await run();
  let leave: () => void = () => undefined;
  const left = new Promise<"left">((resolve) => {
    leave = () => resolve("left");
    signal.addEventListener("abort", leave, { once: true });
  });
  // A command that was told of the signal may fail by it, which is the same end.
  const work = run().catch((error: unknown) => {
    if (!signal.aborted) throw error;
    return "left" as const;
  });
  const end = await Promise.race([work, left]);
  signal.removeEventListener("abort", leave);
  if (end !== "left") return end;
  const { emptyFilledFolders } = await workDoor();
  await emptyFilledFolders();
  if (signal.reason instanceof Interruption) err(`${signal.reason.message} before it was done\n`);
  return EXIT_INTERRUPTED;
}

/** Run something that is a command's work, and show how far it is. */
async function withProgress(
  given: Terminal,
  options: ProgressOptions,
  run: (terminal: Terminal) => Promise<number>,
): Promise<number> {
  const progress = new Progress(given, options);
  const { onWork } = await workDoor();
  const holding = new Set<string>();
  const endHearing = onWork((news) => {
    progress.hear(news);
    if ("isOver" in news) holding.delete(news.what);
    else if (news.blocks) holding.add(news.what);
    given.thread?.(holding.size > 0 ? "held" : "free");
  });
  progress.start();
  try {
    return await run(progress.terminal);
  } finally {
    endHearing();
    given.thread?.("free");
    progress.end();
  }
}

/** Say an expected failure on standard error in a line, and in JSON where that was asked for.  Throws: any other failure. */
function failed(
  error: unknown,
  { chosen, words }: { readonly chosen: CommandRow | undefined; readonly words: readonly string[] },
  output: JsonOutput,
): number {
  const line = expectedFailure(error, chosen, words);
  if (line === undefined) {
    const message = error instanceof Error ? error.message : String(error);
    output.fail({ code: "UNEXPECTED", message, remedy: null, exitCode: EXIT_UNEXPECTED });
    throw error;
  }
  if (line !== "") output.terminal.err(`weft: ${visibleLine(line)}\n`);
  if (error instanceof NodeError || error instanceof ProtocolError) {
    const exitCode = exitCodeOf(error);
    output.fail({ ...failureOf(error, remedyOf(error, chosen && givenOf(chosen))), exitCode });
    return exitCode;
  }
  if (line === "") return EXIT_OK;
  const [message = line, remedy] = partsOf(line);
  output.fail({ code: "USAGE", message, remedy: remedy ?? null, exitCode: EXIT_REFUSED });
  return EXIT_REFUSED;
}

/** What is wrong with a command line, and what to do: `expectedFailure` puts the two together. */
const partsOf = (line: string): readonly string[] =>
  line.split(
    /; (?=see weft|did you mean|(?:it is|it was|the rank|alpha|nothing asks|no command here)\b)|\? (?=See weft)/,
  );

/** Words that other programs have taught people: help, help COMMAND, version. */
function meant(words: readonly string[]): string[] {
  const [first, ...rest] = words;
  // Of a command that there is none of, the parser says so; with --help behind it would show all of them.
  const isKnown = COMMANDS.some(({ name }) => rest.length === 0 || name[0] === rest[0]);
  if (first === "help") return isKnown ? [...rest, "--help"] : rest;
  if (words.length === 1 && (first === "version" || first === "-V" || first === "-v")) return ["--version"];
  return [...words];
}

/** The commands of the table as a commander program.  run: called for the chosen one. */
export function buildProgram(
  terminal: Pick<Terminal, "out" | "err">,
  run: (row: CommandRow, command: Command) => Promise<void>,
): Command {
  const program = new Command("weft")
    .description("Peer-to-peer fine-tuning of transformer models, with no server anywhere.")
    .version(packageVersion(), "--version", "print the version");
  const groups = new Map<string, Command>();
  for (const row of COMMANDS) {
    const [first = "", second] = row.name;
    const parent = second === undefined ? program : (groups.get(first) ?? group(program, groups, first));
    const command = parent.command(second ?? first).description(row.text);
    if (second === undefined) groups.set(first, command);
    if (row.argument) {
      const { name, text, optional, several } = row.argument;
      const words = several ? `${name}...` : name;
      command.argument(optional ? `[${words}]` : `<${words}>`, text);
    }
    for (const option of row.options) command.addOption(optionOf(option, terminal));
    command.addHelpText("after", `\nExample:\n  ${row.example}`);
    command.action(() => run(row, command));
  }
  quiet(program, terminal);
  return program;
}

/** Errors thrown, not printed; nothing ends the process. */
function quiet(command: Command, terminal: Pick<Terminal, "out" | "err">): void {
  command
    // Flags belong to the command behind whose name they stand: weft testnet up --peers 4.
    .enablePositionalOptions()
    .helpOption("-h, --help", "show the commands and flags")
    .exitOverride()
    .configureOutput({ writeOut: terminal.out, writeErr: () => undefined, outputError: () => undefined });
  if (command.commands.length > 0) command.helpCommand(false);
  for (const child of command.commands) quiet(child, terminal);
}

function group(program: Command, groups: Map<string, Command>, name: string): Command {
  const what = name.endsWith("s") ? name : `${/^[aeiou]/.test(name) ? "an" : "a"} ${name}`;
  const command = program.command(name).description(`Commands about ${what}.`);
  groups.set(name, command);
  return command;
}

function optionOf(row: OptionRow, { err }: Pick<Terminal, "err">): Option {
  const { flags, text, repeatable, otherwise } = row;
  const option = new Option(flags, otherwise === undefined ? text : `${text} (otherwise: ${otherwise})`);
  const parse = parserOf(row);
  if (repeatable) {
    option.argParser((value: string, before: unknown[] | undefined) => [...(before ?? []), parse(value)]);
  } else {
    option.argParser(lastOf(parse, () => err(`${option.long} is given more than once; the last one counts\n`)));
  }
  return option;
}

const givenOf = ({ name, options }: CommandRow): GivenCommand => ({
  name: `weft ${name.join(" ")}`,
  flags: options.map(longName),
});

/** Where a person reads more about the command that the words begin with. */
function helpFor(words: readonly string[]): string {
  const named = COMMANDS.filter(({ name }) => name.every((word, i) => words[i] === word));
  const longest = named.toSorted((a, b) => b.name.length - a.name.length)[0];
  const group = COMMANDS.some(({ name }) => name.length > 1 && name[0] === words[0]) ? [words[0] ?? ""] : [];
  return ["see weft", ...(longest?.name ?? group), "--help"].join(" ");
}

/** The parser of a flag of which the last value counts, as scripts expect that add to a line; what was given before is not lost without a word. */
function lastOf(parse: (value: string) => unknown, again: () => void): (value: string) => unknown {
  let isGiven = false;
  return (value) => {
    if (isGiven) again();
    isGiven = true;
    return parse(value);
  };
}

/** One line for a failure that was to be expected, "" when all is said, undefined for a bug.  words: of the command line. */
export function expectedFailure(error: unknown, row?: CommandRow, words: readonly string[] = []): string | undefined {
  if (error instanceof NodeError || error instanceof ProtocolError) return errorLine(error, row && givenOf(row));
  if (!(error instanceof CommanderError)) return undefined;
  if (error.exitCode === 0) return "";
  if (error.code === "commander.help") return `which command? ${helpFor(words).replace("see", "See")}`;
  const [message = "", suggestion = ""] = error.message.replace(/^error: /, "").split("\n");
  const [, valued] = /^unknown option '(--[a-z-]+)=/s.exec(message) ?? [];
  const isFlag = COMMANDS.some(({ options }) => options.some((one) => !takesValue(one) && one.flags === valued));
  if (isFlag) return `${valued} takes no value; leave it out`;
  const what = message
    .replace(
      /^option '(.*)' argument '(.*)' is invalid\. /s,
      (_, flags, value) => `${flags} does not take "${value}": `,
    )
    .replace(/\.$/, "")
    // What stands behind a flag that is none, or where a command should, may be a secret.
    .replace(/^(unknown option '[^=]*)=.*'$/s, "$1'")
    .replace(/^unknown command 'weft1.*'$/is, "an invite is no command: give it to weft join");
  // What is known of other programs' flags goes before what only looks alike.
  const known = otherName(/^unknown option '(.*)'$/.exec(what)?.[1]);
  if (known !== undefined) return `${what}; ${known}`;
  const meant = /Did you mean (.*)\?/i.exec(suggestion)?.[1] ?? nearSubcommand(what, words);
  return meant === undefined ? `${what}; ${helpFor(words)}` : `${what}; did you mean ${meant}?`;
}

/** Of a command that runs by itself and has others below it, the one whose name is nearly the word behind it. */
function nearSubcommand(what: string, [first, second = ""]: readonly string[]): string | undefined {
  if (!what.startsWith("too many arguments")) return undefined;
  const names = COMMANDS.flatMap(({ name }) => (name[0] === first && name[1] !== undefined ? [name[1]] : []));
  return names.includes(second) ? undefined : closestName(second, names);
}
