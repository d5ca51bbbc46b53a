/** The page as a whole. */
import { useMemo, useState } from "preact/hooks";
import { ask } from "./admin-client.ts";
import type { Status } from "./answers.ts";
import { Locked, useToken } from "./locked.tsx";
import { Membership } from "./members.tsx";
import { FactList, PageFrame } from "./page-frame.tsx";
import { type PeerState, usePeer } from "./peer-state.ts";
import { Events, LedgerTables, LogLinesList, Verdicts } from "./records.tsx";
import { Losses, Neighbours, Time, Traffic } from "./rounds.tsx";
import { Topology } from "./topology.tsx";
import { bytesText, figure, PeerTexts } from "./words.ts";

const SECTIONS = ["Losses", "Connections", "Neighbours", "Traffic and time", "Members", "Ledger", "Log"] as const;

/** Everything that is shown of one peer. */
export function App() {
  const [token, takeToken] = useToken();
  const peer = usePeer(token);
  const { status, trouble, isLocked } = peer;
  if (isLocked || token === undefined) {
    return (
      <Locked place="admin-token of the peer's data directory" isRefused={token !== undefined} onToken={takeToken} />
    );
  }
  return (
    <PageFrame
      title={status ? `${status.name}: this peer` : "weft"}
      state={status?.view.peer ?? "asking the peer…"}
      trouble={trouble}
      controls={status && <Controls status={status} token={token} onDone={() => peer.refresh("status")} />}
      sections={SECTIONS}
      footer={`weft ${status?.version ?? ""}. All on this page comes from the peer on this machine, and nothing from elsewhere.`}
    >
      {status && <Facts status={status} />}
      <Sections {...peer} token={token} />
    </PageFrame>
  );
}

function Sections(peer: ReturnType<typeof usePeer> & { readonly token: string }) {
  const { rounds, peers, updates, members, motions, ledger, log, events, token, refresh } = peer;
  const names = usePeerTexts(peer);
  // Steps change many times between two rounds: what is made of rounds alone is not made anew for them.
  const losses = useMemo(() => rounds && <Losses rounds={rounds} />, [rounds]);
  const neighbours = useMemo(() => rounds && <Neighbours rounds={rounds} names={names} />, [rounds, names]);
  const costs = useMemo(
    () =>
      rounds && (
        <div class="columns">
          <Traffic rounds={rounds} />
          <div>
            <Time rounds={rounds.rounds} />
          </div>
        </div>
      ),
    [rounds],
  );
  return (
    <>
      <h2 id="losses">Losses</h2>
      {losses}
      <h2 id="connections">Connections</h2>
      {peers && <Topology peers={peers} names={names} />}
      <h2 id="neighbours">Neighbours</h2>
      {neighbours}
      {updates && <Verdicts updates={updates} />}
      <h2 id="traffic-and-time">Traffic and time</h2>
      {costs}
      <h2 id="members">Members</h2>
      {members && motions ? (
        <Membership {...{ members, motions, names, token }} onDone={() => refresh("members", "motions")} />
      ) : (
        <p class="faint">The network is open: every peer with its manifest takes part, and nobody is admitted.</p>
      )}
      <h2 id="ledger">Ledger</h2>
      {ledger && <LedgerTables ledger={ledger} names={names} />}
      <h2 id="log">Log</h2>
      <Events events={events} names={names} />
      {log && <LogLinesList log={log} />}
    </>
  );
}

/** Names of all peers that the page knows of: the same until another one comes, or one has another label. */
function usePeerTexts({ peers, members, rounds }: PeerState): PeerTexts {
  const labels = new Map<string, string | undefined>();
  const note = (id: string, label?: string): void => void labels.set(id, label ?? labels.get(id));
  for (const { neighbours } of rounds?.mixes ?? []) for (const one of neighbours) note(one.peer, one.label);
  for (const { peer, label } of members?.members ?? []) note(peer, label);
  for (const [peer, label] of Object.entries(members?.labels ?? {})) note(peer, label);
  for (const { peer, label } of peers?.peers ?? []) note(peer, label);
  const shown = [...labels];
  return useMemo(() => new PeerTexts(shown), [JSON.stringify(shown)]);
}

function Facts({ status: { view, rounds, bytes } }: { readonly status: Status }) {
  const facts: readonly (readonly [string, string])[] = [
    ["doing", view.state === "paused" ? `paused: ${view.pausedBecause ?? ""}` : view.state],
    ["rounds", `${view.roundsDone} of ${rounds}`],
    ["step", view.steps > 0 ? `${view.step} of ${view.steps}` : "–"],
    ["training loss", figure(view.loss)],
    ["neighbours", String(view.neighbours)],
    [
      "updates taken",
      `${view.updates.accepted} of ${view.updates.accepted + view.updates.ignored + view.updates.rejected}`,
    ],
    ["sent", bytesText(bytes.sent)],
    ["received", bytesText(bytes.received)],
    ...(view.roster ? [["role", view.roster.role] as const] : []),
    ...(view.privacy ? [["epsilon", `${figure(view.privacy.spent, 2)} of ${view.privacy.epsilon}`] as const] : []),
  ];
  return <FactList facts={facts} />;
}

function Controls({
  status,
  token,
  onDone,
}: {
  readonly status: Status;
  readonly token: string;
  readonly onDone: () => void;
}) {
  const [said, say] = useState("");
  const order = async (what: "pause" | "resume" | "stop"): Promise<void> => {
    try {
      await ask(`v1/control/${what}`, token, "POST");
      say(what === "stop" ? "It finishes the running steps, saves and ends." : "");
    } catch (error) {
      say(error instanceof Error ? error.message : String(error));
    }
    onDone();
  };
  return (
    <div class="buttons">
      <button type="button" class="quiet" onClick={() => void order(status.paused ? "resume" : "pause")}>
        {status.paused ? "Go on" : "Pause"}
      </button>
      <button
        type="button"
        class="quiet"
        onClick={() => confirm("Stop this peer? The same command goes on from there.") && void order("stop")}
      >
        Stop
      </button>
      <span role="status">{said}</span>
    </div>
  );
}
