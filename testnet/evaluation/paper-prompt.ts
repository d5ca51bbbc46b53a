/**
 * The prompt formats in which the ReFT and LLM-Adapters papers train and score commonsense questions and GSM8K, and how an
 * answer is read out of generated text.
 * Source: Wu et al. 2024, arXiv:2404.03592, appendix C, and pyreft's examples/loreft at commit 087caa7 (templates, trigger
 * words, extraction); Hu et al. 2023, arXiv:2304.01933.
 */
import type { DataRecord } from "../../node/data/record.ts";

/** Words between prompt and answer; generated text is read from behind the first of them. */
const COMMONSENSE_TRIGGER = "the correct answer is ";

const GSM8K_QUESTION = "Answer the above question. First think step by step and then answer the final number.";

/** How far from the right number a given one may be. */
const NUMBER_TOLERANCE = 0.001;

/** Greedy decoding, as published: tokens of an answer at most. */
export const ANSWER_TOKENS_MAX = { commonsense: 32, gsm8k: 256 } as const;

/** A row of LLM-Adapters' commonsense files. */
export interface CommonsenseRow {
  readonly instruction: string;
  readonly answer: string;
}

/** The instruction and a line break, then the trigger and the answer. */
export function commonsenseRecord({ instruction, answer }: CommonsenseRow): DataRecord {
  return {
    prompt: `${instruction}\n`,
    response: `${COMMONSENSE_TRIGGER}${answer}`,
    fields: { answer },
    overflow: "cut",
  };
}

/** A row of GSM8K: the answer's last line is `#### <number>`. */
export interface Gsm8kRow {
  readonly question: string;
  readonly answer: string;
}

/** The question, what is asked for, and the solution with "The final answer is: " for the four hashes. */
export function gsm8kRecord({ question, answer }: Gsm8kRow): DataRecord {
  return {
    prompt: `${question}\n${GSM8K_QUESTION}\n`,
    response: answer.replace("####", "The final answer is: "),
    fields: { answer: answer.split("####").at(-1)!.trim() },
    overflow: "cut",
  };
}

/** Whether generated text gives exactly the answer behind the trigger; a text without the trigger gives none. */
export function isCommonsenseRight(generated: string, answer: string): boolean {
  const at = generated.indexOf(COMMONSENSE_TRIGGER);
  return at >= 0 && generated.slice(at + COMMONSENSE_TRIGGER.length).trim() === answer.trim();
}

/** Whether the last number of generated text is the answer's, within a thousandth. */
export function isNumberRight(generated: string, answer: string): boolean {
  return Math.abs(lastNumber(answer) - lastNumber(generated)) <= NUMBER_TOLERANCE;
}

/** The last number of a text, thousands' commas left out; infinite when there is none. */
export function lastNumber(text: string): number {
  const found = text.replaceAll(",", "").match(/-?\d+\.?\d*/g);
  return found ? Number(found.at(-1)) : Number.POSITIVE_INFINITY;
}
