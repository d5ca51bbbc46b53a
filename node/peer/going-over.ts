/** When a peer leaves its manifest for the next ones that the roster has agreed to. */
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import type { RosterMembership } from "../membership/membership.ts";
import type { RoundDriver } from "../round/driver.ts";

/** A watch on what the roster agrees to go on under. */
export interface GoingOver {
  /** As `NetworkPeer.goesOver` says. */
  readonly manifests: Promise<readonly NetworkManifest[]>;
  /** All rounds under this manifest are done. */
  finished(): void;
}

/** Ends the rounds where the next manifest begins, and notices when the others have gone there. */
export function watchSuccession(
  manifest: NetworkManifest,
  {
    membership,
    driver,
  }: { readonly membership: RosterMembership | undefined; readonly driver: RoundDriver | undefined },
): GoingOver {
  const { promise, resolve } = Promise.withResolvers<readonly NetworkManifest[]>();
  let isDone = false;
  const heed = (): void => {
    const next = membership?.migration.ahead()[0];
    if (next === undefined) return;
    driver?.endBefore(next.round);
    if (isDone) resolve([next.manifest]);
    const followed = membership?.followed() ?? [];
    const last = followed.at(-1);
    const round = Math.max(driver?.position.round ?? 0, driver?.status().round ?? 0);
    // Close to it, the rounds that are left are done first.
    const isFar = driver === undefined || (last !== undefined && round + manifest.aggregation.ageMax < last.round);
    if (last !== undefined && isFar) resolve(followed.map((link) => link.manifest));
  };
  heed();
  membership?.onSuccession(heed);
  return {
    manifests: promise,
    finished: () => {
      isDone = true;
    },
  };
}
