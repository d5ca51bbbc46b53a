/** Reading config.json: every field that decides what is computed is checked, and what weft does not do is refused by name. */
import type { z } from "zod";
import { NodeError } from "../errors.ts";

/** Throws: MODEL_CONFIG naming the field and its value. */
export function readConfig<Schema extends z.ZodType>(schema: Schema, config: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(config);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const value = issue.path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
    config,
  );
  const field = issue.path.join(".");
  throw new NodeError(
    "MODEL_CONFIG",
    `config.json: ${field} = ${JSON.stringify(value)} is not supported (${issue.message})`,
    { field },
  );
}
