/** What the page of a peer and that of a swarm have around their sections. */
import type { ComponentChildren } from "preact";

/** The id of a section's heading. */
export const anchor = (section: string): string => section.toLowerCase().replaceAll(" ", "-");

/** state: how it is, in a sentence.  trouble: said in its place where there is any.  controls: buttons below it. */
export function PageFrame({
  title,
  state,
  trouble,
  controls,
  sections,
  footer,
  children,
}: {
  readonly title: string;
  readonly state: string;
  readonly trouble: string | undefined;
  readonly controls?: ComponentChildren;
  readonly sections: readonly string[];
  readonly footer: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  return (
    <>
      <a class="skip" href="#main">
        To the contents
      </a>
      <header>
        <h1>{title}</h1>
        <p role="status" class={trouble === undefined ? "faint" : "alarm"}>
          {trouble ?? state}
        </p>
        {controls}
        <nav aria-label="Sections">
          <ul>
            {sections.map((section) => (
              <li key={section}>
                <a href={`#${anchor(section)}`}>{section}</a>
              </li>
            ))}
          </ul>
        </nav>
      </header>
      <main id="main">{children}</main>
      <footer>{footer}</footer>
    </>
  );
}

/** The few figures that stand first, each with its name. */
export function FactList({ facts }: { readonly facts: readonly (readonly [string, string])[] }) {
  return (
    <ul class="facts" aria-label="Now">
      {facts.map(([name, value]) => (
        <li key={name}>
          <span>{name}</span> <b>{value}</b>
        </li>
      ))}
    </ul>
  );
}
