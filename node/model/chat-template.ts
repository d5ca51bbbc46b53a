/**
 * Chat templates as tokenizers bring them: Jinja programs that write a conversation as one text, with what transformers
 * gives them to read.
 */
import { Environment, Interpreter } from "@huggingface/jinja";
import { NodeError } from "../errors.ts";
import { strftime } from "./strftime.ts";
import { STRIPPERS, type TemplateProgram, templateProgram } from "./template-program.ts";

/** The texts of a template: what is recorded with an adapter. */
export interface TemplateTexts {
  readonly text: string;
  /** Takes the place of `text` where tools are on offer. */
  readonly toolUse?: string | undefined;
}

/** What a template writes out. */
export interface TemplateInput {
  /** Turns: `role`, `content` and what else they have. */
  readonly messages: readonly Readonly<Record<string, unknown>>[];
  readonly tools?: readonly unknown[] | undefined;
  /** Whether the head of an answer stands at the end; default false. */
  readonly addGenerationPrompt?: boolean;
}

/** A text, and the ranges [from, to) of its characters that stand in `{% generation %}` blocks. */
export interface MarkedText {
  readonly text: string;
  readonly generated: readonly (readonly [from: number, to: number])[];
}

/** Special tokens by the names that templates know them by, such as `bos_token`. */
export type SpecialTokens = Readonly<Record<string, string>>;

const SPECIAL_NAMES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/** Source: MAX_RANGE of jinja2.sandbox. */
const RANGE_MAX = 100_000;

/** Names that every template may use. */
const BUILT_IN = {
  ...STRIPPERS,
  ...{ true: true, false: false, none: null, True: true, False: false, None: null },
  range: (from: number, to?: number, step = 1): number[] => {
    const [start, stop] = to === undefined ? [0, from] : [from, to];
    if (step === 0) throw new RangeError("the step of range() is 0");
    const length = Math.max(0, Math.ceil((stop - start) / step));
    // As many as the sandbox of Jinja lets a template have, which comes with a model from anywhere.
    if (!(length <= RANGE_MAX)) throw new RangeError(`range() has more than ${RANGE_MAX} numbers`);
    return Array.from({ length }, (_, i) => start + i * step);
  },
  raise_exception: (message: string): never => {
    throw new Error(message);
  },
};

/** Stand where a generation block begins and ends: private characters that no text has. */
const OPEN = "\u{F0A01}";
const CLOSE = "\u{F0A02}";

const BLOCK = /\{%(-?)\s*(end)?generation\s*(-?)%\}/gu;

/** A template that can be rendered. */
export class ChatTemplate {
  readonly texts: TemplateTexts;
  readonly #special: SpecialTokens;
  readonly #now: () => Date;
  readonly #place: string;
  readonly #compiled = new Map<string, TemplateProgram>();

  /** place: where it comes from, for error lines.  now: what `strftime_now` tells. */
  constructor(
    texts: TemplateTexts,
    { special = {}, place, now = () => new Date() }: ChatTemplateOptions & { readonly place: string },
  ) {
    this.texts = texts;
    this.#special = special;
    this.#place = place;
    this.#now = now;
  }

  /** The conversation as one text.  Throws: MODEL_CONFIG for a template that is none, DATA_FORMAT where it refuses. */
  render(input: TemplateInput): string {
    return this.#run(this.#textFor(input).replace(BLOCK, marked("", "")), input);
  }

  /** The text and what of it stands in generation blocks; undefined for a template without such.  Throws: as `render`. */
  renderMarked(input: TemplateInput): MarkedText | undefined {
    const source = this.#textFor(input);
    if (source.search(BLOCK) < 0) return undefined;
    return unmarked(this.#run(source.replace(BLOCK, marked(OPEN, CLOSE)), input));
  }

  #textFor({ tools }: TemplateInput): string {
    return (tools === undefined ? undefined : this.texts.toolUse) ?? this.texts.text;
  }

  #run(source: string, { messages, tools, addGenerationPrompt = false }: TemplateInput): string {
    const template = this.#compile(source);
    const environment = new Environment();
    const values = {
      ...BUILT_IN,
      ...this.#special,
      messages,
      tools: tools ?? null,
      documents: null,
      add_generation_prompt: addGenerationPrompt,
      strftime_now: (format: string) => strftime(this.#now(), format),
    };
    for (const [name, value] of Object.entries(values)) environment.set(name, value);
    try {
      return String(new Interpreter(environment).run(template).value);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const text = `the chat template refuses it: ${oneLine(why)}; correct the conversation, or choose another template`;
      throw new NodeError("DATA_FORMAT", text, { problem: "template-refuses" }, { cause });
    }
  }

  #compile(source: string): TemplateProgram {
    let template = this.#compiled.get(source);
    if (template === undefined) {
      try {
        template = templateProgram(source);
      } catch (cause) {
        const why = oneLine(cause instanceof Error ? cause.message : String(cause));
        const text = `${this.#place}: the chat template cannot be read (${why}); take it from the model again, or choose another`;
        throw new NodeError("MODEL_CONFIG", text, {}, { cause });
      }
      this.#compiled.set(source, template);
    }
    return template;
  }
}

/** What a template is given beside the conversation. */
export interface ChatTemplateOptions {
  readonly special?: SpecialTokens | undefined;
  readonly now?: (() => Date) | undefined;
}

/** Blocks become conditions that always hold, so that white space around them goes as Jinja says. */
function marked(open: string, close: string) {
  return (_: string, left: string, end: string | undefined, right: string): string =>
    `{%${left} if true %}{{ "${end ? close : open}" }}{% endif ${right}%}`;
}

function unmarked(text: string): MarkedText {
  const generated: [number, number][] = [];
  let plain = "";
  let from = 0;
  for (const piece of text.split(new RegExp(`(${OPEN}|${CLOSE})`, "u"))) {
    if (piece === OPEN) from = plain.length;
    else if (piece === CLOSE) generated.push([from, plain.length]);
    else plain += piece;
  }
  return { text: plain, generated: generated.filter(([a, b]) => a < b) };
}

const SHOWN_MAX = 200;
const oneLine = (text: string): string => text.replace(/\s+/gu, " ").trim().slice(0, SHOWN_MAX);

/** What of a model directory is about chat templates. */
export interface TemplateFiles {
  readonly directory: string;
  readonly tokenizerConfig?: unknown;
  /** Parsed `special_tokens_map.json`, where there is one. */
  readonly specialTokensMap?: unknown;
  /** Texts of `chat_template.jinja`, as "default", and of `additional_chat_templates/NAME.jinja`. */
  readonly chatTemplates?: ReadonlyMap<string, string> | undefined;
}

/** The templates of a tokenizer by name. Files of their own take the place of those in tokenizer_config.json. */
export function chatTemplatesOf({ tokenizerConfig, chatTemplates }: TemplateFiles): ReadonlyMap<string, string> {
  if (chatTemplates !== undefined && chatTemplates.size > 0) return chatTemplates;
  const { chat_template: given } = (tokenizerConfig ?? {}) as { readonly chat_template?: unknown };
  if (typeof given === "string") return new Map([["default", given]]);
  const list = Array.isArray(given) ? (given as { readonly name?: unknown; readonly template?: unknown }[]) : [];
  return new Map(
    list.flatMap((one): [string, string][] =>
      typeof one?.name === "string" && typeof one.template === "string" ? [[one.name, one.template]] : [],
    ),
  );
}

/** The template that stands for all of a tokenizer's; undefined where it has none, or none named "default". */
export function defaultTemplate(templates: ReadonlyMap<string, string>): TemplateTexts | undefined {
  const text = templates.get("default");
  const toolUse = templates.get("tool_use");
  return text === undefined ? undefined : { text, ...(toolUse !== undefined && { toolUse }) };
}

/** Special tokens as a tokenizer names them. */
export function specialTokensOf({ tokenizerConfig, specialTokensMap }: TemplateFiles): SpecialTokens {
  const named: Record<string, string> = {};
  for (const source of [specialTokensMap, tokenizerConfig]) {
    for (const name of SPECIAL_NAMES) {
      const token = (source as Readonly<Record<string, unknown>> | null | undefined)?.[name];
      const content = typeof token === "object" ? (token as { readonly content?: unknown } | null)?.content : token;
      if (typeof content === "string") named[name] = content;
    }
  }
  return named;
}
