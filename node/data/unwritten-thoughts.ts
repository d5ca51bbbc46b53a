/** What the assistant thinks before it answers, in a field of its own: a chat template may write it, and no other frame does. */
import { counted } from "../../protocol/counted.ts";
import { type Conversation, isLearnt } from "./conversation.ts";

/** Names under which models' answers have it. */
const FIELDS = ["reasoning_content", "reasoning", "thinking"] as const;

/** The fields with thoughts of the turns that are learnt. */
export function thoughtsOf(conversation: Conversation): readonly string[] {
  const learnt = conversation.messages.filter((message, i) => isLearnt(conversation, message, i));
  return FIELDS.filter((name) =>
    learnt.some(({ more }) => typeof more?.[name] === "string" && more[name].trim() !== ""),
  );
}

/**
 * What is said of thoughts that are not trained on.  counts: conversations by the field; template: texts of the chat template that
 * writes them, where there is one.
 */
export function unwrittenThoughts(
  counts: ReadonlyMap<string, number>,
  template: object | undefined,
): readonly string[] {
  const text = template === undefined ? "" : JSON.stringify(template);
  const why = template === undefined ? "no frame but a chat template writes" : "the chat template does not write";
  return [...counts]
    .filter(([name]) => !text.includes(name))
    .map(([name, count]) => {
      const rows = counted(count, "conversation has", "conversations have");
      return `${rows} thoughts in "${name}", which ${why}: they are not learnt; put them into "content" where they should be`;
    });
}
