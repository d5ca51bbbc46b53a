/** The text of a chat template as a program that is Jinja's of Python also where the template library is stricter. */
import { parse, tokenize } from "@huggingface/jinja";

/** A program of the template library. */
export type TemplateProgram = ReturnType<typeof parse>;

/** Throws: what the library says of a text that is no template. */
export function templateProgram(source: string): TemplateProgram {
  const program = read(source);
  loosen(program, new Set());
  return program;
}

const read = (source: string): TemplateProgram => parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));

/**
 * A loop over what is not defined runs over nothing: `for call in message.tool_calls`. `text.strip(characters)`, which the
 * library takes for `text.strip()`, calls a function of STRIPPERS.
 */
function loosen(node: unknown, seen: Set<unknown>): void {
  if (typeof node !== "object" || node === null || seen.has(node)) return;
  seen.add(node);
  for (const value of Object.values(node)) loosen(value, seen);
  const { type } = node as Node;
  if (type === "For") orNothing(node as { iterable: Node });
  if (type === "CallExpression") stripping(node as Call);
}

interface Node {
  readonly type: string;
  lhs?: Node;
}

interface Call {
  callee: Node & { readonly object?: Node; readonly property?: Node & { readonly value?: unknown } };
  args: Node[];
}

function orNothing(loop: { iterable: Node }): void {
  const { iterable } = loop;
  // Of `for a in list if test` the list is the left side.
  if (iterable.type === "SelectExpression" && iterable.lhs) iterable.lhs = orEmpty(iterable.lhs);
  else loop.iterable = orEmpty(iterable);
}

/** `list or []` */
function orEmpty(list: Node): Node {
  const expression = read("{{ list or [] }}").body[0] as unknown as { left: Node } & Node;
  expression.left = list;
  return expression;
}

function stripping(call: Call): void {
  const { callee, args } = call;
  const name = callee.type === "MemberExpression" ? callee.property?.value : undefined;
  if (typeof name !== "string" || !Object.hasOwn(STRIPPERS, `weft_${name}`) || !callee.object || args.length !== 1)
    return;
  const other = read(`{{ weft_${name}() }}`).body[0] as unknown as Call;
  call.args = [callee.object, ...args];
  call.callee = other.callee;
}

/** Functions that programs call; they stand among the names of every template. */
export const STRIPPERS = {
  weft_strip: (text: string, characters: string): string => stripEnd(stripStart(text, characters), characters),
  weft_lstrip: (text: string, characters: string): string => stripStart(text, characters),
  weft_rstrip: (text: string, characters: string): string => stripEnd(text, characters),
} as const;

function stripStart(text: string, characters: string): string {
  let at = 0;
  while (at < text.length && characters.includes(text[at]!)) at += 1;
  return text.slice(at);
}

function stripEnd(text: string, characters: string): string {
  let at = text.length;
  while (at > 0 && characters.includes(text[at - 1]!)) at -= 1;
  return text.slice(0, at);
}
