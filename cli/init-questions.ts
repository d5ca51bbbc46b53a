/** What `weft init` asks where somebody sits at a terminal: which model, which data, which network. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { modelDoor, NodeError, readNetwork } from "../node/index.ts";
import { modelDirectory } from "./model-directory.ts";
import type { Terminal } from "./terminal.ts";

/** What was found out; what is absent stays as it would be without any flag. */
export interface InitAnswers {
  readonly model?: string;
  readonly data?: string;
  /** A network's file to take part in. */
  readonly network?: string;
  /** A network to found, with the file for it. */
  readonly newNetwork?: { readonly name: string; readonly out: string };
  /** Whether an invite is there, with which weft join goes on. */
  readonly hasInvite?: boolean;
}

/** Flags that were given are not asked for. */
export interface GivenFlags {
  readonly model?: string | undefined;
  readonly data?: string | undefined;
  readonly network?: string | undefined;
}

/** Whether there is anything to ask, and anybody to answer. */
export function mayAsk({ model, data, network }: GivenFlags, { askLine, isQuiet }: Terminal): boolean {
  return askLine !== undefined && isQuiet !== true && (model ?? data ?? network) === undefined;
}

/** Ask; a wrong answer is explained, and asked for again.  Throws: NodeError CONFIG_INVALID when the person gives up. */
export async function askInit(terminal: Terminal): Promise<InitAnswers> {
  terminal.err("Enter takes what stands in brackets; Ctrl-C leaves everything as it is.\n");
  const model = await asked(terminal, "base model, a folder [the small one that comes with weft]", checkedModel);
  const data = await asked(terminal, "data, a file or a folder [small tasks, to try weft out]", checkedPath);
  const network = await asked(
    terminal,
    "network: the file of one to take part in, new for one of your own, or invite if you have one [later]",
    checkedNetwork,
  );
  const answers = { ...(model !== undefined && { model }), ...(data !== undefined && { data }) };
  if (network === "invite") return { ...answers, hasInvite: true };
  if (network !== "new") return { ...answers, ...(network !== undefined && { network }) };
  const name = (await asked(terminal, "name of the network [weft]", async () => undefined)) ?? "weft";
  const out =
    (await asked(terminal, "file for it, which the others need, too [network.json]", newPath)) ?? "network.json";
  return { ...answers, newNetwork: { name, out: resolve(out) } };
}

/** An answer, undefined for the one in brackets.  check: throws NodeError for what cannot be taken. */
async function asked(
  terminal: Terminal,
  question: string,
  check: (text: string) => Promise<void>,
): Promise<string | undefined> {
  for (;;) {
    const text = (await terminal.askLine?.(`${question}: `))?.trim() ?? "";
    if (text === "") return undefined;
    try {
      await check(text);
      return text;
    } catch (error) {
      if (!(error instanceof NodeError)) throw error;
      terminal.err(`${error.message}\n`);
    }
  }
}

async function checkedModel(text: string): Promise<void> {
  const { openModel } = await modelDoor();
  openModel(modelDirectory(text));
}

async function checkedPath(text: string): Promise<void> {
  if (text !== "embedded" && !existsSync(resolve(text)))
    throw new NodeError("CONFIG_INVALID", `there is no ${resolve(text)}`);
}

async function checkedNetwork(text: string): Promise<void> {
  if (text !== "new" && text !== "invite") await readNetwork(resolve(text));
}

async function newPath(text: string): Promise<void> {
  if (existsSync(resolve(text))) throw new NodeError("CONFIG_INVALID", `${resolve(text)} is there already`);
}
