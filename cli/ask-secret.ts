/** A line typed at a terminal that does not show it. */
import type { ReadStream } from "node:tty";
import { NodeError } from "../node/index.ts";

const [CTRL_C, CTRL_D, BACKSPACE, DELETE] = ["\u0003", "\u0004", "\b", "\u007f"];

/** Ctrl-C and Ctrl-D give it up.  Throws: NodeError CONFIG_INVALID then. */
export async function askSecret(
  question: string,
  { stdin, stderr }: { readonly stdin: ReadStream; readonly stderr: { write(text: string): unknown } },
): Promise<string> {
  stderr.write(question);
  stdin.setRawMode(true).setEncoding("utf8");
  let read: (typed: string) => void = () => undefined;
  try {
    return await new Promise((resolve, reject) => {
      let text = "";
      read = (typed) => {
        for (const character of typed) {
          if (character === CTRL_C || character === CTRL_D) {
            reject(new NodeError("CONFIG_INVALID", "no passphrase was given; nothing was done"));
          } else if (character === "\r" || character === "\n") {
            resolve(text);
          } else {
            const isErased = character === BACKSPACE || character === DELETE;
            text = isErased ? [...text].slice(0, -1).join("") : text + character;
          }
        }
      };
      stdin.on("data", read);
      stdin.resume();
    });
  } finally {
    stdin.off("data", read);
    stdin.setRawMode(false).pause();
    stderr.write("\n");
  }
}
