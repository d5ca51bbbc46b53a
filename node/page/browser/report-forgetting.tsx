/** What was forgotten: of the own tasks since they were known best, and of neutral text since the base model. */
import type { ReportPeer } from "../../interface/report-document.ts";
import { Table } from "./table.tsx";
import { figure } from "./words.ts";

/** Accuracy lost, as a share: from here on a cell is one shade darker. */
const SHADES = [0.002, 0.01, 0.03, 0.1];

/** Nothing where no round was done. */
export function Forgetting({ peers }: { readonly peers: readonly ReportPeer[] }) {
  const known = peers.filter(({ forgetting }) => forgetting !== undefined);
  const neutral = peers.filter((peer) => peer.neutral !== undefined);
  if (known.length === 0) return null;
  const tasks = [...new Set(known.flatMap(({ forgetting }) => forgetting?.tasks.map(({ task }) => task) ?? []))].sort();
  return (
    <>
      <h2>Forgetting</h2>
      <p>
        How far accuracy on the validation data is behind the best that it was after any round so far, in points of
        percent: 0 is nothing forgotten, a darker cell is more.
      </p>
      <Table
        caption="Forgetting of own tasks after the last round"
        headings={["peer", "all", ...tasks]}
        rows={known.map(({ name, forgetting }) => [
          name,
          <Heat share={forgetting?.accuracy} />,
          ...tasks.map((task) => <Heat share={forgetting?.tasks.find((one) => one.task === task)?.accuracy} />),
        ])}
      />
      {neutral.length > 0 && (
        <>
          <h3>Neutral text</h3>
          <p>
            Loss on plain sentences that belong to no task, in nats per token, before the training and after it: what
            rises was forgotten.
          </p>
          <Table
            caption="Loss on neutral text"
            headings={["peer", "before", "after", "after − before"]}
            rows={neutral.map(({ name, neutral }) => [
              name,
              figure(neutral?.before),
              figure(neutral?.after),
              `${figure((neutral?.after ?? Number.NaN) - (neutral?.before ?? Number.NaN))} ± ${figure(neutral?.interval)}`,
            ])}
          />
        </>
      )}
    </>
  );
}

function Heat({ share }: { readonly share: number | null | undefined }) {
  if (typeof share !== "number") return <span class="heat">–</span>;
  const shade = SHADES.filter((from) => share >= from).length;
  return <span class={`heat h${shade}`}>{(100 * share).toFixed(1)}</span>;
}
