/** A terminal that is given no hidden characters, whatever a command writes. */
import { visibleText } from "../node/index.ts";
import type { Terminal } from "./terminal.ts";

export { visibleLine, visibleText } from "../node/index.ts";

/** What is drawn over begins with these: up so many lines and clear what is below, or clear the line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these begin the view
const OWN = /^(?:\u001b\[\d+A)?\r\u001b\[[JK]/;

/** A terminal that is given nothing hidden, whatever a command writes. */
export function visibleTerminal(terminal: Terminal): Terminal {
  const { draw } = terminal;
  return {
    ...terminal,
    out: (text) => terminal.out(visibleText(text)),
    err: (text) => terminal.err(visibleText(text)),
    ...(draw && {
      draw: (text: string) => {
        const own = OWN.exec(text)?.[0] ?? "";
        draw(own + visibleText(text.slice(own.length)));
      },
    }),
  };
}
