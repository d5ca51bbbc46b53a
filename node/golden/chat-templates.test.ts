/** Conversations by chat templates, against what transformers makes of them: token ids, and the assistant's turns. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Conversation } from "../data/conversation.ts";
import { conversationOf } from "../data/conversation-rows.ts";
import { templateTokens } from "../data/template-parts.ts";
import { NodeError } from "../errors.ts";
import { ChatTemplate } from "../model/chat-template.ts";
import { createTokenizer, type Tokenizer } from "../model/tokenizer.ts";

const folder = join(import.meta.dirname, "chat");
const json = <T>(name: string): T => JSON.parse(readFileSync(join(folder, name), "utf8")) as T;
const golden = json<Record<string, Record<string, string[]>>>("golden.json");
const isLong = process.env.WEFT_ALL_CHATS !== undefined;
/** The further conversations of `npm run test:chats`, and the digests of groups of all, of which the first stand in golden.json too. */
const long = isLong
  ? (JSON.parse(gunzipSync(readFileSync(join(folder, "long.json.gz"))).toString()) as {
      readonly conversations: Record<string, unknown>[];
      readonly group: number;
      readonly golden: Record<string, Record<string, string[]>>;
    })
  : undefined;
const chats = [...json<Record<string, unknown>[]>("conversations.json"), ...(long?.conversations ?? [])].map((row, i) =>
  conversationOf(row, ["messages"], { place: { file: "conversations.json", line: i + 1 }, learntFrom: "messages" }),
);
/** Every thirteenth conversation of the first 220 is taken, so that the suite stays short; all of 1,000 where WEFT_ALL_CHATS is set. */
const STRIDE = isLong ? 1 : 13;
const TIMEOUT_MS = isLong ? 600_000 : 30_000;
const templates = readdirSync(join(folder, "templates")).map((file) => ({
  name: file.replace(".jinja", ""),
  text: readFileSync(join(folder, "templates", file), "utf8"),
}));
const cases = Object.keys(golden).flatMap((tokenizer) =>
  templates.flatMap(({ name, text }) => [
    { tokenizer, name, isMarked: true, blocks: "with generation blocks", text },
    { tokenizer, name, isMarked: false, blocks: "without", text: text.replace(/\{% (end)?generation %\}/gu, "") },
  ]),
);
/** Tokens that end a turn, by template; all others end it by the tokenizer's end token. */
const ENDS: Readonly<Record<string, string>> = {
  chatml: "<|im_end|>",
  "qwen-tools": "<|im_end|>",
  "qwen-think": "<|im_end|>",
  llama3: "<|eot_id|>",
  gemma: "<end_of_turn>",
  phi: "<|end|>",
  command: "<|END_OF_TURN_TOKEN|>",
  openchat: "<|end_of_turn|>",
  "im-sep": "<|im_end|>",
};

const sha = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 12);

function opened(text: string): ChatTemplate {
  const special = { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>" };
  return new ChatTemplate({ text }, { special, place: "a test", now: () => new Date(2024, 6, 26, 9, 5) });
}

/** undefined where the template refuses. */
function tokensOf(chat: Conversation, tokenizer: Tokenizer, template: ChatTemplate) {
  try {
    return templateTokens(chat, { tokenizer, template });
  } catch (cause) {
    if (cause instanceof NodeError && cause.code === "DATA_FORMAT") return undefined;
    throw cause;
  }
}

describe.each(Object.keys(golden))("with a tokenizer of %s", (kind) => {
  const tokenizerConfig = { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>" };
  const tokenizer = createTokenizer({ tokenizerJson: json(`${kind}-tokenizer.json`), tokenizerConfig });
  const mine = cases.filter((one) => one.tokenizer === kind);

  it.each(mine)(
    "$name $blocks gives the ids and the mask of transformers",
    ({ name, text, isMarked }) => {
      const template = opened(text);
      const end = tokenizer.encode(ENDS[name] ?? "</s>").at(-1);
      const wrong: unknown[] = [];
      const refused: number[] = [];
      const digests: string[] = [];
      const expectedOf = (i: number): string | undefined => golden[kind]?.[name]?.[i];
      const marked = opened(templates.find((one) => one.name === name)!.text);
      for (const [i, chat] of chats.entries()) {
        if (i % STRIDE !== 0) continue;
        const got = tokensOf(chat, tokenizer, template);
        const mask = got?.ids.map((_, at) => (got.learnt.some(([from, to]) => at >= from && at < to) ? 1 : 0));
        const digest = got && sha(`${got.ids.join()}|${mask?.join()}`);
        const isRefusedAnyway = () =>
          expectedOf(i) === "" || (expectedOf(i) === undefined && tokensOf(chat, tokenizer, marked) === undefined);
        if (got === undefined && !isMarked && !isRefusedAnyway()) {
          refused.push(i);
          digests.push("refused");
          continue;
        }
        digests.push(digest ?? "");
        const expected = expectedOf(i);
        if (expected !== undefined && (digest ?? "") !== expected) wrong.push({ chat: i, digest });
        const turns = chat.messages.filter(({ role }) => role === "assistant").length;
        const ends = got?.learnt.filter(([, to]) => got.ids[to - 1] === end).length;
        if (got && (ends !== turns || got.learnt.length !== turns)) wrong.push({ chat: i, turns, ends });
      }
      for (const [group, expected] of (long?.golden[kind]?.[name] ?? []).entries()) {
        const mine = digests.slice(group * long!.group, (group + 1) * long!.group);
        // Where blocks are left out, a conversation that is refused has no ids to compare.
        if (!mine.includes("refused") && sha(mine.join()) !== expected) wrong.push({ group, mine });
      }
      expect(wrong).toEqual([]);
      // This one writes the system's turn and the tools before the last question: calls of tools cannot be told from the rest.
      expect(refused.length).toBeLessThanOrEqual(name === "mistral" ? Math.ceil(chats.length / STRIDE) / 5 : 0);
    },
    TIMEOUT_MS,
  );
});
