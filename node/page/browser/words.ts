/** Figures and names as people read them. */
import { PeerNames } from "../../interface/peer-names.ts";

/**
 * Text that somebody else wrote, such as a label: what would hide, break or turn around the text beside it is shown as a box. Put it
 * into a <bdi>.
 */
export const foreignText = (text: string): string =>
  text.replaceAll(/[\p{Cc}\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu, "\u25a1");

/** Peers as people read of them: by what they call themselves, where that is known, and by the ends of their ids. */
export class PeerTexts {
  readonly #names: PeerNames;
  readonly #labels: ReadonlyMap<string, string>;

  /** shown: all peers of the page, each with its label where it has one. */
  constructor(shown: Iterable<readonly [id: string, label: string | undefined]>) {
    const all = [...shown];
    this.#names = new PeerNames(all.map(([id]) => id));
    this.#labels = new Map(all.flatMap(([id, label]) => (label ? [[id, label]] : [])));
  }

  /** The end of an id. */
  short(id: string): string {
    return this.#names.short(id);
  }

  /** Its label and the end of its id. Put it into a <bdi>.  room: characters of the label that are shown. */
  name(id: string, room = Number.POSITIVE_INFINITY): string {
    const label = this.#labels.get(id);
    if (label === undefined) return this.short(id);
    const shown = label.length > room ? `${label.slice(0, room - 1)}…` : label;
    return `“${foreignText(shown)}” ${this.short(id)}`;
  }
}

/** Three decimals; a dash where there is no number. */
export const figure = (value: number | null | undefined, digits = 3): string =>
  typeof value === "number" && Number.isFinite(value) ? value.toFixed(digits) : "–";

/** Powers of 1000, as the commands show them. */
export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2)} ${units[unit]}`;
}

/** Hours and minutes of the reader's clock. */
export const clockTime = (at: string): string => new Date(at).toLocaleTimeString();

/** A date of the reader's calendar.  seconds: since 1970. */
export const dateText = (seconds: number): string => new Date(seconds * 1000).toLocaleDateString();
