import { expect, it } from "vitest";
import { signerOf } from "../exchange/exchange.suite.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { MEMBER_LABELS_MAX, MemberLabels } from "./member-labels.ts";

it("keeps labels over a restart, and of more than there is room for not the first", async () => {
  const store = createMemoryStore();
  const writes: Promise<void>[] = [];
  const open = async (): Promise<MemberLabels> => {
    const labels = new MemberLabels({ store, save: (changes) => void writes.push(store.batch(changes)) });
    await labels.load();
    return labels;
  };
  const first = await open();
  const { peer: id } = signerOf(1);
  const peers = Array.from({ length: MEMBER_LABELS_MAX + 1 }, (_, i) => `${id}${i}` as never);
  for (const [i, peer] of peers.entries()) first.keep(peer, `site ${i}`);
  expect([first.of(peers[0]!), first.of(peers[1]!)]).toEqual([undefined, "site 1"]);
  await Promise.all(writes);
  const again = await open();
  expect([again.of(peers[0]!), again.of(peers.at(-1)!)]).toEqual([undefined, `site ${MEMBER_LABELS_MAX}`]);
});
