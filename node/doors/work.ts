/** The door to what long work tells of itself, and to what it has begun to write. */
export { emptyFilledFolders } from "../system/files/unfinished-writes.ts";
export { saveCompiledCode } from "../system/platform/compiled-code.ts";
export { onWork, tellBlocking, tellWork, WorkCount } from "../system/platform/work-channel.ts";
