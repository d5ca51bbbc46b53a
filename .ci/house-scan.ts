/** What the ratchet test measures of one source file: how long it and its functions are, what it exports without a docstring. */
import { type Module, parseSync } from "@swc/core";

/** A function, from its first line to its last. */
export interface FunctionLength {
  /** Its name, or that of what it is given to; `anonymous` where neither has one. */
  readonly name: string;
  readonly lines: number;
}

/** The measurements of one file. */
export interface SourceScan {
  readonly lines: number;
  readonly functions: readonly FunctionLength[];
  /** Exported names without a docstring directly above them, in the order of the file. */
  readonly undocumented: readonly string[];
}

/** A node of swc's tree. Spans are byte positions in the file that begin at 1. */
interface SyntaxNode {
  readonly type: string;
  readonly span: { readonly start: number; readonly end: number };
  readonly [field: string]: unknown;
}

/** Parse a TypeScript file and measure it.  Throws: the parser's error. */
export function scanSource(text: string, { tsx = false }: { readonly tsx?: boolean } = {}): SourceScan {
  const bytes = Buffer.from(text);
  const module = parseSync(text, { syntax: "typescript", tsx, target: "es2022" });
  return {
    lines: text.endsWith("\n") ? text.split("\n").length - 1 : text.split("\n").length,
    functions: functionsIn(module, bytes),
    undocumented: undocumentedIn(module, bytes),
  };
}

/** Names that belong to the command line, as its generated page lists them. */
export interface CommandLineWords {
  /** Long flags with their two dashes. */
  readonly flags: ReadonlySet<string>;
  /** Commands or groups of them: the word that stands behind the program's name. */
  readonly commands: ReadonlySet<string>;
}

/** The words of docs/CLI.md, which is written from the command table and compared with it. */
export function commandLineWords(page: string): CommandLineWords {
  return {
    flags: new Set([...page.matchAll(/^\| `(--[a-z][a-z0-9-]*)/gm)].map(([, flag]) => flag!)),
    commands: new Set([...page.matchAll(/^## weft ([a-z]+)/gm)].map(([, command]) => command!)),
  };
}

/** How often a text, code or comment, names a flag or a command of the program. */
export function commandLineNames(text: string, { flags, commands }: CommandLineWords): number {
  // Styles of a page have names with two dashes too: `--name:` and `var(--name)`.
  const named = [...text.matchAll(/(?<!var\(|[\w-])--[a-z][a-z0-9-]*(?!:)\b/g)].filter(([flag]) => flags.has(flag));
  const called = [...text.matchAll(/\bweft ([a-z]+)\b/g)].filter(([, command]) => commands.has(command!));
  return named.length + called.length;
}

const FUNCTIONS = new Set([
  "FunctionDeclaration",
  "FunctionExpression",
  "ArrowFunctionExpression",
  "ClassMethod",
  "PrivateMethod",
  "Constructor",
  "MethodProperty",
  "GetterProperty",
  "SetterProperty",
]);

/** Every function with a body, inner ones after those that they stand in. */
function functionsIn(module: Module, bytes: Buffer): FunctionLength[] {
  const found: FunctionLength[] = [];
  const visit = (node: SyntaxNode, owner: string): void => {
    const name = nameOf(node) ?? owner;
    const isFunction = FUNCTIONS.has(node.type);
    if (isFunction) found.push({ name, lines: linesOf(node, bytes) });
    for (const child of childrenOf(node)) visit(child, isFunction ? "anonymous" : name);
  };
  for (const item of module.body as unknown as SyntaxNode[]) visit(item, "anonymous");
  return found;
}

function linesOf({ span }: SyntaxNode, bytes: Buffer): number {
  let lines = 1;
  for (const byte of bytes.subarray(span.start - 1, span.end - 1)) if (byte === 10) lines++;
  return lines;
}

/** The name that a declaration, a variable or a property gives to what stands in it. */
function nameOf(node: SyntaxNode): string | undefined {
  if (node.type === "Constructor") return "constructor";
  for (const field of ["identifier", "key", "id"]) {
    const named = node[field];
    if (!isNode(named)) continue;
    if (typeof named.value === "string") return named.type === "PrivateName" ? `#${named.value}` : named.value;
  }
  return undefined;
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}

/** Nodes in the fields of a node; an argument of a call stands in an object without a type. */
function* childrenOf(value: object): Generator<SyntaxNode> {
  for (const field of Object.values(value)) {
    for (const one of Array.isArray(field) ? field : [field]) {
      if (isNode(one)) yield one;
      else if (typeof one === "object" && one !== null) yield* childrenOf(one);
    }
  }
}

/** Exported declarations without a comment of two stars that ends where they begin; overloads count once. */
function undocumentedIn(module: Module, bytes: Buffer): string[] {
  const items = module.body as unknown as SyntaxNode[];
  const listed = new Set(
    items.flatMap((item) => (item.type === "ExportNamedDeclaration" && !item.source ? localNames(item) : [])),
  );
  const names = new Map<string, boolean>();
  for (const item of items) {
    const declaration = item.type === "ExportDeclaration" ? (item.declaration as SyntaxNode) : item;
    for (const name of declaredNames(declaration)) {
      if (item.type !== "ExportDeclaration" && !listed.has(name)) continue;
      const before = bytes.subarray(0, item.span.start - 1).toString();
      names.set(name, (names.get(name) ?? false) || hasDocstring(before));
    }
  }
  return [...names].filter(([, documented]) => !documented).map(([name]) => name);
}

function localNames({ specifiers }: SyntaxNode): string[] {
  return (specifiers as SyntaxNode[]).flatMap(({ orig }) =>
    isNode(orig) && typeof orig.value === "string" ? [orig.value] : [],
  );
}

function declaredNames(declaration: SyntaxNode): string[] {
  if (declaration.type === "VariableDeclaration") {
    return (declaration.declarations as SyntaxNode[]).flatMap((one) => nameOf(one) ?? ["(destructured)"]);
  }
  const name = nameOf(declaration);
  return name === undefined ? [] : [name];
}

function hasDocstring(before: string): boolean {
  const text = before.trimEnd();
  if (!text.endsWith("*/")) return false;
  return text.slice(text.lastIndexOf("/*")).startsWith("/**");
}
