/** Figures and names as people read them. */

/** The end of a peer id, enough to tell peers apart. */
export const shortPeer = (id: string): string => (id.length > 10 ? `…${id.slice(-6)}` : id);

/**
 * Text that somebody else wrote, such as a label: what would hide, break or turn around the text beside it is shown as a box. Put it
 * into a <bdi>.
 */
export const foreignText = (text: string): string =>
  text.replaceAll(/[\p{Cc}\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu, "\u25a1");

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
