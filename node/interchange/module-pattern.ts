/**
 * Expressions by which adapter_config.json names modules, as peft matches them. A file must not bring code to run, so of
 * regular expressions those are read whose time is bounded: nothing that repeats is repeated, and nothing looks around.
 * Source: peft 0.21, utils/other.py get_pattern_key, tuners/tuners_utils.py check_target_module_exists.
 */

/** Longest expression, and most parts of it that repeat: the time is a power of the path's length by their number. */
const CHARACTERS_MAX = 1_000;
const REPEATS_MAX = 6;

/** Whether an expression is one that weft reads. */
export function isReadable(expression: string): boolean {
  if (expression.length > CHARACTERS_MAX) return false;
  const bare = expression.replace(/\\[.wdWD]/g, "_").replace(/\[\^?[\w.-]+\]/g, "_");
  // What is left of escapes, classes and groups with a meaning of their own is not read.
  if (/[\\[\]]/.test(bare) || /\(\?(?!:)/.test(bare) || /\)[*+{]/.test(bare)) return false;
  if ((bare.match(/[*+{]/g) ?? []).length > REPEATS_MAX || /[*+?}][*+{]/.test(bare)) return false;
  try {
    new RegExp(expression);
    return true;
  } catch {
    // Python and JavaScript differ in what they take; what only one of them takes is not read.
    return false;
  }
}

/** peft matches `(.*\.)?(key)$` from the beginning of the path. */
export const fitsEnd = (key: string, path: string): boolean => new RegExp(`^(?:.*\\.)?(?:${key})$`).test(path);

/** peft matches an expression that stands for all targets with the whole path. */
export const fitsWhole = (expression: string, path: string): boolean => new RegExp(`^(?:${expression})$`).test(path);
