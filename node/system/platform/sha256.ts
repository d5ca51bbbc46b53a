/** SHA-256 by OpenSSL, several times as fast as in JavaScript. */
import { createHash } from "node:crypto";
import type { CreateSha256 } from "../../../protocol/content-id.ts";

/** The same digests as the protocol's own SHA-256. */
export const createNativeSha256: CreateSha256 = () => createHash("sha256");
