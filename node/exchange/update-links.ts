/**
 * The updates that a sparse update rests on: the author's updates before it, back to the last one that holds every value
 * (protocol/README.md, 6.7). They are kept with it as signed bytes, so that this peer can hand them on.
 */
import { type ContentId, type CreateSha256, contentIdOf } from "../../protocol/content-id.ts";
import { decodeUpdate, isSparse, type PayloadRules } from "../../protocol/encoding/update-payload.ts";
import { openEnvelope, verifyEnvelope } from "../../protocol/envelope.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { Cryptography } from "../../protocol/judge-context.ts";
import { readUpdate, type Update } from "../../protocol/update.ts";

/** An update that another one rests on. */
export interface UpdateLink {
  readonly contentId: ContentId;
  /** The signed update, as bytes. */
  readonly envelope: Uint8Array;
}

/** The rules that all updates of a network have in common. */
export interface LinkRules extends PayloadRules, Cryptography {
  readonly networkId: string;
}

/** The most links that an update can rest on. */
export function linksMax({ encoding }: PayloadRules): number {
  return (encoding?.topK?.keyframeEvery ?? 1) - 1;
}

/** Whether an update rests on the one that it names as its previous one. */
export function restsOnPrevious(update: Update): update is Update & { readonly previous: ContentId } {
  return isSparse(update.encoding) && update.previous !== undefined;
}

/**
 * The update that `next` names as its previous one, from its bytes.
 * Throws: ProtocolError when they are not that, or are no signed update of the same author and network, one sequence
 * earlier and of no later round.
 */
export function readLink(envelope: Uint8Array, next: Update, rules: LinkRules): Update {
  const { networkId, verify, createSha256 } = rules;
  const link = readUpdate(envelope, createSha256);
  const problem =
    link.contentId !== next.previous
      ? "is not the one it names"
      : link.author !== next.author || link.networkId !== networkId
        ? "is of another author or network"
        : link.sequence !== next.sequence - 1 || link.round > next.round
          ? "does not come before it"
          : verifyEnvelope(openEnvelope("update", envelope), verify)
            ? undefined
            : "is not signed by its author";
  if (problem === undefined) return link;
  throw new ProtocolError("FIELD_INVALID", `update ${next.sequence}: the update that it rests on ${problem}`);
}

/**
 * The decoded form of an update's previous one, from all updates that it rests on, the oldest first.  Shapes: f32[P].
 * Throws: ProtocolError when a link is not the one that the next names, or the first one rests on others.
 */
export function decodeLinks(links: readonly UpdateLink[], update: Update, rules: LinkRules): Float32Array | undefined {
  const updates: Update[] = [];
  let next = update;
  for (const { envelope } of links.toReversed()) {
    next = readLink(envelope, next, rules);
    updates.unshift(next);
  }
  let values: Float32Array | undefined;
  for (const link of updates) values = decodeUpdate(link, { ...rules, previous: values });
  return values;
}

/** Links from their bytes, named by their hashes. */
export const linkOf = (envelope: Uint8Array, createSha256?: CreateSha256): UpdateLink => ({
  contentId: contentIdOf(envelope, createSha256),
  envelope,
});
