/**
 * Whether npx or npm, by which `weft` was started, is still there. They stand between the person who stops them and the
 * peer, some of them pass no signal on, and none does when it is killed. A shell that starts weft is not watched: its end
 * says nothing about what it left in the background. Plain JavaScript, because cli/weft.js reads it in old versions too.
 */
import { readFileSync } from "node:fs";

/** How often is looked. */
const LOOK_MS = 1_000;

/**
 * Call `onEnd` once, when the npx or npm that started this process has ended. A hang-up is no order to end where no terminal
 * is: npx dies of it, and what it started stays.
 * @param {() => void} onEnd
 */
export function watchParent(onEnd) {
  if (process.platform === "win32" || process.env.npm_command === undefined) return;
  const before = lineage();
  let isHungUp = false;
  process.on("SIGHUP", () => {
    isHungUp = true;
  });
  const timer = setInterval(() => {
    if (isHungUp) return clearInterval(timer);
    if (lineage() === before) return;
    clearInterval(timer);
    onEnd();
  }, LOOK_MS);
  timer.unref();
}

/** The parent, and its own parent where that can be read: npx runs a shell that runs weft. */
function lineage() {
  return `${process.ppid} ${parentOf(process.ppid)}`;
}

/** @param {number} id proc(5), stat: field 4, after the name in parentheses. */
function parentOf(id) {
  try {
    return readFileSync(`/proc/${id}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ")[1];
  } catch {
    return "";
  }
}
