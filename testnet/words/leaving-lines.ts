/** What leaves a machine that takes part in a network, in words: for whoever is about to join one. */
import { counted } from "../../node/index.ts";
import { parameterCount } from "../../protocol/adapter-spec.ts";
import { maySend, type Role } from "../../protocol/membership/roles.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";

const BYTES: Readonly<Record<"float32" | "float16" | "int8", number>> = { float32: 4, float16: 2, int8: 1 };

/** A sentence a line.  more: where to read more, and what can be done. */
export function leavingLines(
  manifest: NetworkManifest,
  role: Role,
  { more }: { readonly more: string },
): readonly string[] {
  const { tensors, encoding, rounds } = manifest;
  const values = parameterCount(tensors);
  const share = encoding?.topK?.share ?? 1;
  const kilobytes = Math.ceil((values * share * BYTES[encoding?.values ?? "float32"]) / 1000);
  return [
    "What leaves this machine, encrypted, to members of this network only:",
    "  this peer's public key, its addresses and those of its neighbours, and the label of its request;",
    maySend(role, "update")
      ? `  after each of ${counted(rounds.count, "round")} the ${counted(values, "value")} of its adapter, about ${kilobytes} kB, and the number of its examples.`
      : `  no updates: a peer with the role ${role} sends none.`,
    "What does not: the data, the base model, gradients, logs, the private key.",
    ...(maySend(role, "update")
      ? [`Adapter values come from the data and reveal something about them: see ${more}.`]
      : []),
  ];
}
