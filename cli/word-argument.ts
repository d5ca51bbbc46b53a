/** The text after a flag that says settings of several kinds in one word; the kinds' descriptors say how. */
import { NodeError, type NodeErrorCode } from "../node/index.ts";
import type { SettingsOf, Variants } from "../protocol/settings/variant.ts";
import { settingsOfWord, wordForms, wordOfSettings } from "../protocol/settings/variant-word.ts";

/** Reading and writing the words of some settings. */
export interface WordArgument<T> {
  /** The words that there are, for help and refusals. */
  readonly forms: string;
  /** The settings that a word stands for.  Throws: NodeError, naming the part that is wrong and the words that there are. */
  readonly parse: (word: string) => T;
  /** The word for settings; `parse` of it gives them back, but for what no word says. */
  readonly format: (settings: T) => string;
}

/** The words of these kinds.  code: of the errors. */
export function wordArgument<All extends Variants>(
  all: All,
  code: NodeErrorCode = "CONFIG_INVALID",
): WordArgument<SettingsOf<All>> {
  const forms = wordForms(all);
  return {
    forms,
    parse: (word) => {
      const reading = settingsOfWord(all, word);
      if ("value" in reading) return reading.value;
      throw new NodeError(code, `${all.what} "${word}": ${reading.problem}; write ${wordForms(all, reading.kind)}`, {
        [all.what]: word,
      });
    },
    format: (settings) => wordOfSettings(all, settings),
  };
}
