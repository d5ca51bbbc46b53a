/** The door to what long work tells of itself. */
export { onWork, tellWork, WorkCount } from "../system/platform/work-channel.ts";
