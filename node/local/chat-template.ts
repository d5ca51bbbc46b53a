/** Which chat template conversations are written by: what the user says, else what an adapter keeps, else the model's. */

import type { TrainedData } from "../data/trained-data.ts";
import { NodeError } from "../errors.ts";
import {
  ChatTemplate,
  chatTemplatesOf,
  defaultTemplate,
  specialTokensOf,
  type TemplateTexts,
} from "../model/chat-template.ts";
import type { ModelFiles } from "../model/huggingface.ts";
import { readSmallText } from "../system/files/small-text.ts";

/** The choice of no template: turns stand on lines of their own. */
export const NO_TEMPLATE = "none";

/** How a template is chosen. */
export interface TemplateChoice {
  /** Name of one of the model's templates, a file of one, or `none`. */
  readonly chatTemplate?: string | undefined;
  /** What is kept with the adapter at hand. */
  readonly kept?: TrainedData | undefined;
}

/** Undefined where there is none.  Throws: CONFIG_INVALID for a choice that is neither a name nor a file. */
export function openChatTemplate(files: ModelFiles, { chatTemplate, kept }: TemplateChoice): ChatTemplate | undefined {
  const special = specialTokensOf(files);
  const opened = (texts: TemplateTexts, place: string): ChatTemplate => new ChatTemplate(texts, { special, place });
  if (chatTemplate === NO_TEMPLATE) return undefined;
  const templates = chatTemplatesOf(files);
  if (chatTemplate !== undefined) {
    const named = templates.get(chatTemplate);
    if (named !== undefined) return opened({ text: named }, `template "${chatTemplate}" of ${files.directory}`);
    return opened({ text: readTemplate(chatTemplate, [...templates.keys()], files.directory) }, chatTemplate);
  }
  if (kept?.frame === "turns") return undefined;
  if (kept?.chatTemplate) return opened(kept.chatTemplate, "the adapter");
  const texts = defaultTemplate(templates);
  return texts && opened(texts, files.directory);
}

/** What is to be said where a model has templates by name, and conversations are written without any because none is the default. */
export function unchosenTemplates(files: ModelFiles, { chatTemplate, kept }: TemplateChoice): readonly string[] {
  if (chatTemplate !== undefined || kept !== undefined) return [];
  const templates = chatTemplatesOf(files);
  if (templates.size === 0 || defaultTemplate(templates) !== undefined) return [];
  return [
    `the model has chat templates (${[...templates.keys()].join(", ")}), and none of them is the default: conversations are written without one; choose one by its name`,
  ];
}

function readTemplate(file: string, names: readonly string[], directory: string): string {
  try {
    return readSmallText(file);
  } catch (cause) {
    const known = names.length > 0 ? `templates ${names.join(", ")}` : "no chat template";
    const text = `"${file}" is neither a file nor a template of the model; ${directory} has ${known}; give a name, a file, or ${NO_TEMPLATE}`;
    throw new NodeError("CONFIG_INVALID", text, {}, { cause });
  }
}
