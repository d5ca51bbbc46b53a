/** The door to membership: joining by invite, acting on a roster from outside, key rotation, verification. */
export { verifyMembers, verifyStoredRoster } from "../doctor/roster-verification.ts";
export { openJoining } from "../peer/join.ts";
export { adoptNextKey, nextKeyOf } from "../peer/key-rotation.ts";
export { createInviteText, operate } from "../peer/operator.ts";
