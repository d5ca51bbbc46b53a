/** A report as a page: was it worth it, how it went round by round, what was forgotten, and what it cost. */
import type { ReportDocument } from "../../interface/report-document.ts";
import { Costs } from "./report-costs.tsx";
import { Forgetting } from "./report-forgetting.tsx";
import { RoundByRound } from "./report-rounds.tsx";
import { Scores } from "./report-scores.tsx";

/** The report that the page holds; undefined where it is the page of something that runs. */
export function reportInside(): ReportDocument | undefined {
  const text = document.getElementById("report")?.textContent;
  return text ? (JSON.parse(text) as ReportDocument) : undefined;
}

/** Everything of a report. A part that has nothing to show is left out. */
export function Report({ report }: { readonly report: ReportDocument }) {
  const { title, headline, sentences, about, facts, peers, manifest } = report;
  const failed = peers.filter(({ lastLines }) => lastLines !== undefined);
  return (
    <>
      <header>
        <h1>{title}</h1>
        <p class="headline">{headline}</p>
        {sentences.map(({ text, isAlarm }) => (
          <p key={text} class={isAlarm ? "alarm" : undefined}>
            {text}
          </p>
        ))}
        <p class="faint">{about}</p>
      </header>
      <main id="main">
        <RoundByRound peers={peers} />
        <Scores peers={peers} />
        <Forgetting peers={peers} />
        <Costs peers={peers} />
        <h2>{peers.length === 1 ? "The peer" : "The peers"} and what was agreed on</h2>
        <dl>
          {facts.map(([name, value]) => (
            <>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </>
          ))}
        </dl>
        <details>
          <summary>{peers.length === 1 ? "Its id" : "Ids of the peers"}</summary>
          <dl>
            {peers.map(({ name, id, state }) => (
              <>
                <dt>{name}</dt>
                <dd>
                  <code>{id}</code>, {state}
                </dd>
              </>
            ))}
          </dl>
        </details>
        {failed.map(({ name, lastLines = [] }) => (
          <section key={name}>
            <h3>Last lines of {name}</h3>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse scrolls what has the focus */}
            <pre tabIndex={0}>{lastLines.join("\n")}</pre>
          </section>
        ))}
        <details>
          <summary>The network's manifest; its id is the hash of its canonical form</summary>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse scrolls what has the focus */}
          <pre tabIndex={0}>{JSON.stringify(manifest, null, 2)}</pre>
        </details>
      </main>
      <footer>Everything on this page is in this file; it asks nobody for anything.</footer>
    </>
  );
}
