/** Items of tasks as a file has them: a question with choices, or one whose answer the model writes; one JSON object a line. */
import { z } from "zod";
import { jsonLineRows } from "../data/json-rows.ts";
import { NodeError } from "../errors.ts";
import { fileSize, linesOf } from "../system/files/data-files.ts";

const common = { task: z.string().min(1).max(64), prompt: z.string().min(1) };

const choose = z
  .strictObject({
    ...common,
    choices: z.array(z.string().min(1)).min(2).max(64),
    /** The number of the right choice, from 0. */
    answer: z.number().int().min(0),
    /** Between prompt and choice. */
    delimiter: z.string().default(" "),
  })
  .refine(({ choices, answer }) => answer < choices.length, "answer must be the number of a choice, from 0");

const write = z.strictObject({
  ...common,
  target: z.string(),
  /** The text ends before the first of these. */
  until: z.array(z.string().min(1)).max(16).default([]),
  tokensMax: z.number().int().min(1).max(4096).default(64),
  /** A regular expression; the last match in the text, or its first group, is the answer. */
  extract: z.string().max(512).optional(),
});

/** The likeliest of some answers is the model's. */
export type ChooseItem = z.infer<typeof choose>;
/** The model writes, greedily. */
export type WriteItem = z.infer<typeof write>;
/** One item of a task. */
export type TaskItem = ChooseItem | WriteItem;

/** Whether an item has choices. */
export const isChoice = (item: TaskItem): item is ChooseItem => "choices" in item;

/** The items of a file.  Throws: NodeError DATA_FORMAT, naming file, line and field. */
export async function readTaskItems(file: string): Promise<readonly TaskItem[]> {
  const items: TaskItem[] = [];
  await fileSize(file);
  for await (const { values, place } of jsonLineRows(linesOf(file), { file })) {
    items.push(itemOf(values, file, place.line ?? items.length + 1));
  }
  if (items.length > 0) return items;
  throw new NodeError("DATA_FORMAT", `${file} has no items; write one JSON object a line`, { file });
}

/** Throws: as `readTaskItems`. */
export function itemOf(value: unknown, file: string, line: number): TaskItem {
  const hasChoices = typeof value === "object" && value !== null && "choices" in value;
  const result = (hasChoices ? choose : write).safeParse(value);
  const problem = result.success ? badPattern(result.data) : issueOf(result.error);
  if (result.success && problem === undefined) return result.data;
  const form = "give task, prompt, choices and answer, or task, prompt and target";
  throw new NodeError("DATA_FORMAT", `${file}:${line}: ${problem}; ${form}`, { file, line });
}

const issueOf = ({ issues: [first] }: z.ZodError): string =>
  first!.path.length === 0 ? first!.message : `${first!.path.join(".")}: ${first!.message}`;

function badPattern(item: TaskItem): string | undefined {
  if (isChoice(item) || item.extract === undefined) return undefined;
  try {
    new RegExp(item.extract, "gu");
    return undefined;
  } catch (error) {
    return `extract: ${(error as Error).message}`;
  }
}
