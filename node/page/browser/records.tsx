/** What left the peer, what came to it, and what it said. */
import { counted } from "../../../protocol/counted.ts";
import type { Ledger, LogLines, PeerNotice, Updates } from "./answers.ts";
import { Table } from "./table.tsx";
import { bytesText, clockTime, foreignText, type PeerTexts } from "./words.ts";

/** The egress ledger: totals, and the newest messages. */
export function LedgerTables({
  ledger: { totals, newest },
  names,
}: {
  readonly ledger: Ledger;
  readonly names: PeerTexts;
}) {
  return (
    <div class="columns">
      <Table
        caption="Sent since the start, by kind"
        headings={["kind", "messages", "bytes"]}
        rows={Object.entries(totals).map(([kind, { messages, bytes }]) => [kind, messages, bytesText(bytes)])}
      />
      <Table
        caption="The newest records"
        headings={["number", "at", "kind", "to", "bytes"]}
        rows={newest
          .slice(-12)
          .reverse()
          .map(({ number, at, kind, to, bytes }) => [
            number,
            clockTime(at),
            kind,
            to.length === 1 ? <bdi>{names.name(to[0] ?? "")}</bdi> : counted(to.length, "peer"),
            bytesText(bytes),
          ])}
      />
    </div>
  );
}

/** Verdicts on the updates of others. */
export function Verdicts({ updates: { reasons } }: { readonly updates: Updates }) {
  if (reasons.length === 0) return <p class="faint">No update of another peer has come yet.</p>;
  return (
    <Table
      caption="Updates of others since the start"
      headings={["verdict", "reason", "how often"]}
      rows={reasons.map(({ verdict, code, count }) => [verdict, code === "" ? "–" : code, count])}
    />
  );
}

/** The newest events, the newest first. */
export function Events({ events, names }: { readonly events: readonly PeerNotice[]; readonly names: PeerTexts }) {
  if (events.length === 0) return <p class="faint">Nothing has happened since this page was opened.</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse scrolls what has the focus
    <ol class="log" tabIndex={0} aria-label="The newest events, the newest first">
      {[...events].reverse().map((event) => (
        <li key={`${event.number} ${event.type}`}>
          {clockTime(event.at)} <b>{event.type}</b> <bdi>{detail(event, names)}</bdi>
        </li>
      ))}
    </ol>
  );
}

/** What of an event is short enough for a line. */
function detail({ number: _, at: __, type: ___, ...fields }: PeerNotice, names: PeerTexts): string {
  const shown = Object.entries(fields).flatMap(([name, value]) => {
    if (typeof value === "number") return `${name} ${Number.isInteger(value) ? value : value.toFixed(3)}`;
    if (typeof value === "string")
      return `${name} ${value.startsWith("12D3Koo") ? names.short(value) : foreignText(value)}`;
    if (name === "summary")
      return summaryText(value as { readonly round: number; readonly validationLoss: number | null });
    return [];
  });
  return shown.join(", ").slice(0, 200);
}

const summaryText = ({
  round,
  validationLoss,
}: {
  readonly round: number;
  readonly validationLoss: number | null;
}): string => `${round + 1} is done, validation loss ${validationLoss?.toFixed(3) ?? "–"}`;

/** What the log says from warnings on, the newest first: events stand above. */
export function LogLinesList({ log: { lines } }: { readonly log: LogLines }) {
  const shown = lines.filter(({ level }) => level !== "info");
  if (shown.length === 0) return <p class="faint">Its log has no warnings.</p>;
  return (
    <>
      <h3>Warnings of its log</h3>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse scrolls what has the focus */}
      <ol class="log" tabIndex={0} aria-label="The newest lines of the log, the newest first">
        {[...shown].reverse().map((line, i) => (
          <li key={i}>
            {clockTime(line.time)} <b>{line.level}</b> {line.module} {foreignText(line.text)}
          </li>
        ))}
      </ol>
    </>
  );
}
