/** A prompt in token ids as the model was asked in training: by its chat template, or in the frame of its adapter. */
import type { Conversation } from "../data/conversation.ts";
import { framedPrompt } from "../data/frame.ts";
import { isEnd, templateTokens } from "../data/template-parts.ts";
import type { TrainedData } from "../data/trained-data.ts";
import { NodeError } from "../errors.ts";
import type { ChatTemplate } from "../model/chat-template.ts";
import type { ModelFiles } from "../model/huggingface.ts";
import type { Tokenizer } from "../model/tokenizer.ts";
import { openChatTemplate } from "./chat-template.ts";

/** What is asked, and how. */
export interface Asked {
  readonly prompt: string;
  /** What the template writes as the system's turn. */
  readonly system?: string | undefined;
  /** See openChatTemplate. */
  readonly chatTemplate?: string | undefined;
  /** What is kept with the adapter at hand. */
  readonly kept?: TrainedData | undefined;
}

/** A prompt ready for the model. */
export interface AskedPrompt {
  readonly ids: readonly number[];
  /** The token that ends a turn in the template, where it is one. */
  readonly endIds: readonly number[];
}

/**
 * The chat template is used where the adapter's frame is one, where one is chosen, and where a system turn is given.
 * Throws: CONFIG_INVALID for a system turn without a template; DATA_FORMAT where the template refuses.
 */
export function askedPrompt(asked: Asked, files: ModelFiles, tokenizer: Tokenizer): AskedPrompt {
  const { prompt, system, chatTemplate, kept } = asked;
  const isChat = kept?.frame === "template" || chatTemplate !== undefined || system !== undefined;
  const template = isChat ? openChatTemplate(files, { chatTemplate, kept }) : undefined;
  if (template !== undefined) return byTemplate(asked, template, tokenizer);
  if (system !== undefined) {
    const text = `a system turn is written by a chat template, and ${files.directory} has none that is used here; put it into the prompt`;
    throw new NodeError("CONFIG_INVALID", text);
  }
  const begin = tokenizer.beginId === undefined ? [] : [tokenizer.beginId];
  const frame = kept?.frame ?? "plain";
  // Whoever chooses no template for an adapter that has one asks in turns without it.
  return {
    ids: [...begin, ...tokenizer.encode(framedPrompt(frame === "template" ? "turns" : frame, prompt))],
    endIds: [],
  };
}

function byTemplate({ prompt, system }: Asked, template: ChatTemplate, tokenizer: Tokenizer): AskedPrompt {
  const turns = [
    ...(system === undefined ? [] : [{ role: "system" as const, content: system }]),
    { role: "user" as const, content: prompt },
  ];
  const ids = tokenizer.encode(template.render({ messages: turns, addGenerationPrompt: true }));
  const answered = { messages: [...turns, { role: "assistant" as const, content: "." }], learntFrom: turns.length };
  return { ids, endIds: endOfTurn(answered, template, tokenizer) };
}

function endOfTurn(conversation: Conversation, template: ChatTemplate, tokenizer: Tokenizer): readonly number[] {
  try {
    const { ids, learnt } = templateTokens(conversation, { tokenizer, template });
    const last = ids[(learnt.at(-1)?.[1] ?? 0) - 1];
    return last !== undefined && isEnd(last, tokenizer) ? [last] : [];
  } catch (cause) {
    if (cause instanceof NodeError && cause.code === "DATA_FORMAT") return [];
    throw cause;
  }
}
