/**
 * The frame of a network: which chat template writes the conversations of all its peers. The manifest holds a digest of it, for the
 * model's digest says nothing about `tokenizer_config.json`.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { NodeError } from "../errors.ts";
import type { ChatTemplate, TemplateTexts } from "../model/chat-template.ts";
import type { ModelFiles } from "../model/huggingface.ts";
import { NO_TEMPLATE, openChatTemplate } from "./chat-template.ts";

/** The frame as a manifest names it; undefined where each peer has its own. */
export type NetworkFrame = NetworkManifest["frame"];

/** SHA-256 of the template's text in UTF-8; behind it, where there is one, a zero byte and the text for tools (protocol/README.md, 2.10). */
export function templateDigest({ text, toolUse }: TemplateTexts): string {
  return bytesToHex(sha256(new TextEncoder().encode(toolUse === undefined ? text : `${text}\0${toolUse}`)));
}

/**
 * The frame of a new network: the template that is chosen, else the model's; undefined for a model without one.
 * Throws: CONFIG_INVALID for a choice that is neither a name nor a file.
 */
export function frameOfNetwork(files: ModelFiles, chatTemplate?: string): NetworkFrame {
  if (chatTemplate === NO_TEMPLATE) return { kind: "turns" };
  const template = openChatTemplate(files, { chatTemplate });
  return template && { kind: "template", digest: templateDigest(template.texts) };
}

/**
 * The template of a peer of a network, chosen as `openChatTemplate` does.
 * Throws: MODEL_MISMATCH where it is not the network's.
 */
export function openNetworkTemplate(
  files: ModelFiles,
  { chatTemplate, frame }: { readonly chatTemplate?: string | undefined; readonly frame: NetworkFrame },
): ChatTemplate | undefined {
  if (frame?.kind === "turns" && chatTemplate === undefined) return undefined;
  const template = openChatTemplate(files, { chatTemplate });
  const own = template && templateDigest(template.texts);
  const wanted = frame?.kind === "template" ? frame.digest : undefined;
  if (frame === undefined || own === wanted) return template;
  const words = (digest: string | undefined): string =>
    digest === undefined ? "no chat template" : `the chat template with digest ${digest.slice(0, 16)}…`;
  const place = chatTemplate === undefined ? files.directory : `"${chatTemplate}"`;
  const text = `${place} gives ${words(own)}, and the peers of this network train with ${words(wanted)}`;
  throw new NodeError("MODEL_MISMATCH", text, { local: own, network: wanted, problem: "another-template" });
}
