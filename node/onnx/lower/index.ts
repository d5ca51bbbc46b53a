/** All lowerings, by operator name (`domain.Operator` outside the standard set). */
import { ACTIVATIONS } from "./activations.ts";
import { ATTENTION } from "./attention.ts";
import { EINSUM } from "./einsum.ts";
import { LOSS } from "./loss.ts";
import type { ImportedNode, Lowering } from "./lowering.ts";
import { MICROSOFT } from "./microsoft.ts";
import { NORMALIZATION } from "./normalization.ts";
import { OLDER } from "./older.ts";

const LOWERINGS: Readonly<Record<string, Lowering>> = {
  ...OLDER,
  ...ACTIVATIONS,
  ...ATTENTION,
  ...EINSUM,
  ...LOSS,
  ...NORMALIZATION,
  ...Object.fromEntries(Object.entries(MICROSOFT).map(([op, lowering]) => [`com.microsoft.${op}`, lowering])),
};

/** The lowering of a node's operator, or undefined when it is read as it stands. */
export function loweringOf({ op, domain }: Pick<ImportedNode, "op" | "domain">): Lowering | undefined {
  const name = domain === "" ? op : `${domain}.${op}`;
  return Object.hasOwn(LOWERINGS, name) ? LOWERINGS[name] : undefined;
}
