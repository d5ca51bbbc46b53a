/** The members of a network with a roster, and who asks to become one. */
import { useRef, useState } from "preact/hooks";
import { counted } from "../../../protocol/counted.ts";
import { ask } from "./admin-client.ts";
import type { Members, Motion } from "./answers.ts";
import { Table } from "./table.tsx";
import { dateText, foreignText, type PeerTexts } from "./words.ts";

/** What is done with a motion. */
type Decision = "approve" | "decline";

/** onDone: called once something was decided. */
export function Membership(given: {
  readonly members: Members;
  readonly motions: readonly Motion[];
  readonly names: PeerTexts;
  readonly token: string;
  readonly onDone: () => void;
}) {
  const { members, motions, names, token, onDone } = given;
  const [said, say] = useState("");
  const mayDecide = members.self.role === "admin";
  const decide = async (motion: Motion, decision: Decision): Promise<void> => {
    try {
      const { isDecided } = await ask<{ isDecided: boolean }>(`v1/motions/${motion.id}/${decision}`, token, "POST");
      const done =
        decision === "decline"
          ? "Declined."
          : isDecided
            ? "Approved: it is decided."
            : "Approved: it waits for other admins.";
      say(done);
    } catch (error) {
      say(error instanceof Error ? error.message : String(error));
    }
    onDone();
  };
  return (
    <>
      <p role="status" aria-live="polite">
        {said}
      </p>
      {motions.length === 0 && <p class="faint">Nothing waits for a decision.</p>}
      {motions.map((motion) => (
        <MotionCard key={motion.id} motion={motion} names={names} decide={mayDecide ? decide : undefined} />
      ))}
      {motions.length > 0 && !mayDecide && (
        <p class="faint">Admins decide; this peer is {members.self.role ?? "no member"}.</p>
      )}
      <Table
        caption={counted(members.members.length, "member")}
        headings={["peer", "calls itself", "role", "standing", "connected", "until"]}
        rows={members.members.map(({ peer, role, standing, isConnected, notAfter, label = "–" }) => [
          <span title={peer}>{names.short(peer)}</span>,
          <bdi>{foreignText(label)}</bdi>,
          role,
          standing,
          isConnected ? "yes" : "no",
          dateText(notAfter),
        ])}
      />
    </>
  );
}

function MotionCard({
  motion,
  names,
  decide,
}: {
  readonly motion: Motion;
  readonly names: PeerTexts;
  readonly decide: ((motion: Motion, decision: Decision) => Promise<void>) | undefined;
}) {
  const { statement, request, approvedBy, deniedBy, threshold } = motion;
  const dialog = useRef<HTMLDialogElement>(null);
  const [isBusy, setBusy] = useState(false);
  const act = async (decision: Decision): Promise<void> => {
    setBusy(true);
    dialog.current?.close();
    await decide?.(motion, decision);
    setBusy(false);
  };
  const subject = statement.subject ?? request?.candidate ?? "";
  const title = request
    ? `“${foreignText(request.label)}” asks to be ${statement.role ?? "a member"}`
    : `${statement.kind} ${subject && names.name(subject)}`;
  return (
    <article class="motion" aria-label={title}>
      <h3>
        <bdi>{title}</bdi>
      </h3>
      <p>
        <code>{subject}</code>
      </p>
      {request && (
        <>
          <p>Compare the fingerprint by phone with who asks:</p>
          <p class="fingerprint">{request.fingerprint}</p>
        </>
      )}
      <p>
        {approvedBy.length} of {threshold} admins agree{deniedBy.length > 0 && `, ${deniedBy.length} decline`}. Motion{" "}
        <code>{motion.id.slice(0, 12)}</code>
      </p>
      {decide && (
        <div class="buttons">
          <button type="button" disabled={isBusy} onClick={() => dialog.current?.showModal()}>
            Approve…
          </button>
          <button type="button" class="quiet" disabled={isBusy} onClick={() => void act("decline")}>
            Decline
          </button>
        </div>
      )}
      <dialog ref={dialog} aria-label={`Approve: ${title}`}>
        <h3>
          <bdi>{title}</bdi>
        </h3>
        {request && <p class="fingerprint">{request.fingerprint}</p>}
        <p>
          Whoever is admitted sees all updates from then on. {request && "Has the other side read out the same digits?"}
        </p>
        <div class="buttons">
          <button type="button" onClick={() => void act("approve")}>
            Approve
          </button>
          <button type="button" class="quiet" onClick={() => dialog.current?.close()}>
            Not now
          </button>
        </div>
      </dialog>
    </article>
  );
}
