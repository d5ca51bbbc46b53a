/**
 * What of the house's rules is not yet kept, measured: by rule, by file. `npm run house` writes it to house-debts.json
 * and refuses to while a sum has grown; the ratchet test compares.
 */
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { commandLineNames, commandLineWords, scanSource } from "./house-scan.ts";

/** Lines of a function, from its first to its last. */
export const FUNCTION_LINES_MAX = 80;
/** Lines of a source file. */
export const FILE_LINES_MAX = 450;

/** By rule and by path: how many places break the rule. Files that break none are not named. */
export interface HouseDebts {
  /** Functions of more than `FUNCTION_LINES_MAX` lines, by name. */
  readonly longFunctions: Readonly<Record<string, readonly string[]>>;
  /** Files of more than `FILE_LINES_MAX` lines. */
  readonly longFiles: readonly string[];
  /** Exports without a docstring. */
  readonly undocumentedExports: Readonly<Record<string, number>>;
  /** Flags and commands named below `cli`, in code, texts and comments. */
  readonly commandLineBelowCli: Readonly<Record<string, number>>;
}

const repository = dirname(import.meta.dirname);
const DEBTS_FILE = join(import.meta.dirname, "house-debts.json");

/** Programs with command lines of their own, whose flags may have the same names. */
const OWN_COMMAND_LINES = [
  /^node\/bench\//,
  /^node\/pretrain\/main\.ts$/,
  /^testnet\/(attack|evaluate|evaluation\/(compare-lambda|material|measure-(recipe|adjustment|tried|reference)))\.ts$/,
];

/** Whether a file holds tests, to which neither the length of functions nor docstrings matter. */
const isTest = (path: string): boolean => /\.(test|suite)\.ts$/.test(path);

/** The source files of the house, generated ones left out, by rising path. */
export function sourceFiles(): readonly string[] {
  const found = globSync(["{protocol,node,cli,testnet}/**/*.{ts,tsx}", ".ci/*.ts"], { cwd: repository });
  return found.filter((path) => !path.endsWith("_pb.ts")).sort();
}

/** Measure every source file. */
export function measureDebts(): HouseDebts {
  const words = commandLineWords(readFileSync(join(repository, "docs", "CLI.md"), "utf8"));
  const longFunctions: Record<string, readonly string[]> = {};
  const longFiles: string[] = [];
  const undocumentedExports: Record<string, number> = {};
  const commandLineBelowCli: Record<string, number> = {};
  for (const path of sourceFiles()) {
    const text = readFileSync(join(repository, path), "utf8");
    const { lines, functions, undocumented } = scanSource(text, { tsx: path.endsWith(".tsx") });
    if (lines > FILE_LINES_MAX) longFiles.push(path);
    if (isTest(path)) continue;
    const long = functions.filter((one) => one.lines > FUNCTION_LINES_MAX).map(({ name }) => name);
    if (long.length > 0) longFunctions[path] = long;
    if (undocumented.length > 0) undocumentedExports[path] = undocumented.length;
    const isBelowCli = !/^(cli|\.ci)\//.test(path) && !OWN_COMMAND_LINES.some((pattern) => pattern.test(path));
    const named = isBelowCli ? commandLineNames(text, words) : 0;
    if (named > 0) commandLineBelowCli[path] = named;
  }
  return { longFunctions, longFiles, undocumentedExports, commandLineBelowCli };
}

/** What house-debts.json lists. */
export function writtenDebts(): HouseDebts {
  return JSON.parse(readFileSync(DEBTS_FILE, "utf8"));
}

/** How many places break each rule. */
export function debtSums({
  longFunctions,
  longFiles,
  ...counts
}: HouseDebts): Readonly<Record<keyof HouseDebts, number>> {
  const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
  return {
    longFunctions: sum(Object.values(longFunctions).map((names) => names.length)),
    longFiles: longFiles.length,
    undocumentedExports: sum(Object.values(counts.undocumentedExports)),
    commandLineBelowCli: sum(Object.values(counts.commandLineBelowCli)),
  };
}

if (import.meta.main) {
  const debts = measureDebts();
  const after = debtSums(debts);
  const before = existsSync(DEBTS_FILE) ? debtSums(writtenDebts()) : after;
  const rules = Object.keys(after) as (keyof HouseDebts)[];
  const grown = rules.filter((rule) => after[rule] > before[rule]);
  if (grown.length > 0) {
    const sums = grown.map((rule) => `${rule} ${before[rule]} -> ${after[rule]}`);
    console.error(`the list may only shrink: ${sums.join(", ")}`);
    process.exitCode = 1;
  } else {
    writeFileSync(DEBTS_FILE, `${JSON.stringify(debts, undefined, 2)}\n`);
    console.log(rules.map((rule) => `${rule} ${after[rule]}`).join(", "));
  }
}
