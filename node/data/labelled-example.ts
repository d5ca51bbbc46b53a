/** From a record to an example of a classifier: the text as the tokenizer frames it, and its class, or those of its words. */
import { NodeError } from "../errors.ts";
import type { Example } from "../interface/trainer.ts";
import type { Tokenizer } from "../model/tokenizer.ts";
import type { EncodedRecords } from "./example.ts";
import { type DataRecord, questionOf, taskOf } from "./record.ts";

/** What a classifier's examples are encoded with. */
export interface LabelledOptions {
  readonly tokenizer: Tokenizer;
  /** Longest text in tokens, with what the tokenizer puts around it; a longer one loses its end. */
  readonly maxTokens: number;
  /** Names of the classes, by number. */
  readonly labels: readonly string[];
  /** Whether each token has a class; default false. */
  readonly ofTokens?: boolean | undefined;
  /** As for other examples: `parts` reads a text with the line break behind it, as the first networks do. */
  readonly seam?: "blank" | "parts";
  /** Number of the first record, from 0, for error lines; default 0. */
  readonly first?: number;
}

/** Characters of a response, and names of classes, that an error line shows. */
const SHOWN_MAX = 40;
const LABELS_SHOWN_MAX = 8;

/**
 * One example per record: the prompt is the text, the response the name of its class, or words have one each.
 * Throws: NodeError DATA_FORMAT for a response that names no class, CONFIG_INVALID when maxTokens holds no text.
 */
export function encodeLabelled(records: readonly DataRecord[], options: LabelledOptions): EncodedRecords {
  if (options.ofTokens) return encodeTagged(records, options);
  const { tokenizer, maxTokens, labels, first = 0 } = options;
  const classes = new ClassNumbers(labels);
  const cut = { records: 0, promptTokens: 0, responseTokens: 0 };
  const examples = records.map((record, index): Example => {
    const { response, classNumber } = record;
    const label = classes.ofName(response.trim()) ?? classes.ofNumber(classNumber, record.classes);
    if (label === undefined) throw unknownClass({ response, index: first + index, labels });
    const { text, dropped } = frame(options.seam === "parts" ? record.prompt : questionOf(record), {
      tokenizer,
      maxTokens,
    });
    cut.promptTokens += dropped;
    if (dropped > 0) cut.records += 1;
    return { tokens: [...text, label], promptLength: text.length, ...taskOf(record) };
  });
  return { examples, cut };
}

/** The classes of a model by what data call them. */
class ClassNumbers {
  readonly #labels: readonly string[];
  readonly #numbers: ReadonlyMap<string, number>;
  /** Whether any of a data set's names is one of the model's. */
  readonly #shared = new Map<readonly string[], boolean>();

  constructor(labels: readonly string[]) {
    this.#labels = labels;
    // Whoever writes POSITIVE means no other class than who writes positive.
    const folded = labels.map((label, number): [string, number] => [label.toLowerCase(), number]);
    const isClear = new Set(folded.map(([label]) => label)).size === labels.length;
    this.#numbers = new Map([
      ...(isClear ? folded : []),
      ...labels.map((label, number): [string, number] => [label, number]),
    ]);
  }

  ofName(name: string): number | undefined {
    return this.#numbers.get(name) ?? this.#numbers.get(name.toLowerCase());
  }

  /** By the name that the data set has for it; by the number itself where no name of the data set is one of the model's. */
  ofNumber(number: number | undefined, names: readonly string[] | undefined): number | undefined {
    if (number === undefined || (number >= 0 && number >= this.#labels.length && names === undefined)) return undefined;
    if (names === undefined || number < 0 || !this.#shares(names)) {
      return number < this.#labels.length ? number : undefined;
    }
    return this.ofName(names[number] ?? "");
  }

  #shares(names: readonly string[]): boolean {
    const known = this.#shared.get(names) ?? names.some((name) => this.ofName(name) !== undefined);
    this.#shared.set(names, known);
    return known;
  }
}

/** Tokens before and behind a text, and how many there is room for between them. */
function edges(text: string, { tokenizer, maxTokens }: Pick<LabelledOptions, "tokenizer" | "maxTokens">) {
  const bare = tokenizer.encode(text);
  const full = tokenizer.encode(text, { special: true });
  const before = full.slice(0, full.length > bare.length && tokenizer.beginId !== undefined ? 1 : 0);
  const behind = full.slice(before.length + bare.length);
  const room = maxTokens - before.length - behind.length;
  if (!Number.isSafeInteger(maxTokens) || room < 1) {
    throw new NodeError("CONFIG_INVALID", `maxTokens is ${maxTokens}; a text needs ${maxTokens - room + 1} or more`);
  }
  return { bare, before, behind, room };
}

/** The text between what the tokenizer puts before and behind every text, at most `maxTokens` in all. */
function frame(text: string, options: Pick<LabelledOptions, "tokenizer" | "maxTokens">) {
  const { bare, before, behind, room } = edges(text, options);
  return { text: [...before, ...bare.slice(0, room), ...behind], dropped: Math.max(0, bare.length - room) };
}

/**
 * Every word is encoded as it reads behind a blank; its class stands at the first of its tokens, and the others have none.
 * A record of whose words no class is left gives no example.
 */
function encodeTagged(records: readonly DataRecord[], options: LabelledOptions): EncodedRecords {
  const { tokenizer, labels, first = 0 } = options;
  const known = new ClassNumbers(labels);
  const cut = { records: 0, promptTokens: 0, responseTokens: 0 };
  const examples = records.flatMap((record, index): Example[] => {
    if (!record.tagged) throw untagged(first + index);
    const { words, tags } = record.tagged;
    const { before, behind, room } = edges(words.join(" "), options);
    const text: number[] = [];
    const [classes, places]: [number[], number[]] = [[], []];
    for (const [i, word] of words.entries()) {
      const tag = tags[i]!;
      const label = typeof tag === "number" ? known.ofNumber(tag, record.classes) : known.ofName(tag);
      if (label === undefined) {
        const shown = typeof tag === "number" ? (record.classes?.[tag] ?? tag) : tag;
        throw unknownClass({ response: String(shown), index: first + index, labels });
      }
      const ids = tokenizer.encode(` ${word}`);
      if (label >= 0 && ids.length > 0 && text.length < room) {
        classes.push(label);
        places.push(before.length + text.length);
      }
      for (const id of ids) text.push(id);
    }
    const dropped = Math.max(0, text.length - room);
    cut.promptTokens += dropped;
    if (dropped > 0) cut.records += 1;
    if (classes.length === 0) return [];
    const framed = [...before, ...text.slice(0, room), ...behind];
    return [{ tokens: [...framed, ...classes], promptLength: framed.length, places, ...taskOf(record) }];
  });
  return { examples, cut };
}

function untagged(index: number): NodeError {
  const text = `record ${index + 1}: the model gives a class to every token, and this row has no tags; give "tokens" and "ner_tags"`;
  return new NodeError("DATA_FORMAT", text, { record: index + 1 });
}

function unknownClass(at: { response: string; index: number; labels: readonly string[] }): NodeError {
  const { response, index, labels } = at;
  const shown = JSON.stringify(response.length > SHOWN_MAX ? `${response.slice(0, SHOWN_MAX)}…` : response);
  const names = labels.slice(0, LABELS_SHOWN_MAX).join(", ") + (labels.length > LABELS_SHOWN_MAX ? ", …" : "");
  const text = `record ${index + 1}: the response ${shown} is none of the model's classes (${names}); name them in id2label of config.json`;
  return new NodeError("DATA_FORMAT", text, { record: index + 1, classes: labels.length });
}
