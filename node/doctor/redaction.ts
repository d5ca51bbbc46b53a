/**
 * Text that may be shown to strangers: secrets, and what says where a machine or a person is, are replaced by words in angle
 * brackets. Ids of peers and networks stay, because a report without them explains nothing; everybody in a network sees them.
 */

/** What must not be seen, beside what is known by its form. */
export interface KnownSecrets {
  /** Texts, such as a token; shorter ones than 4 characters are not looked for. */
  readonly texts: readonly string[];
  /** Folders that name a person, such as the home folder, each with the word that takes its place. */
  readonly folders: readonly (readonly [string, string])[];
}

/** Names of fields whose values are somebody's own, whatever they hold. */
const OWN_FIELDS =
  /^(label|data|validation|test|prompt|response|text_sample|passphrase|token|secret|password|authorization|invite|columns)$/i;

/** In this order: what is longer goes first. */
const FORMS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]+-----[\s\S]*?-----END [A-Z ]+-----/g, "<key>"],
  [/\bweft1[02-9ac-hj-np-z]{20,}/gi, "<invite>"],
  [/\bBearer\s+[\w.~+/=-]{8,}/gi, "Bearer <token>"],
  [/#[\w-]{43}(?![\w-])/g, "#<token>"],
  [/\b(passphrase|password|secret|token|api[-_]?key)(["']?\s*[:=]\s*["']?)[^\s"',;}]+/gi, "$1$2<secret>"],
  [/\bhf_[A-Za-z0-9]{20,}/g, "<secret>"],
  [/\/(ip4|ip6|dns|dns4|dns6|dnsaddr)\/(?!127\.0\.0\.1\b|::1\b|0\.0\.0\.0\b|localhost\b)[^/\s"',]+/g, "/$1/<address>"],
  [/\b(?!127\.0\.0\.1\b|0\.0\.0\.0\b)(?:\d{1,3}\.){3}\d{1,3}\b/g, "<address>"],
  [/\b(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}\b/gi, "<address>"],
  // Settings as a file of them has them: where somebody's data are is theirs.
  [/^(\s*(?:data|validation|test|label|model|passphrase-file)\s*=\s*).+$/gm, '$1"<own>"'],
  [/\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b/g, "<mail>"],
];

/** The text without them. */
export function redactText(text: string, { texts, folders }: KnownSecrets): string {
  let result = text;
  for (const secret of [...texts].filter(({ length }) => length >= 4).sort((a, b) => b.length - a.length)) {
    result = result.replaceAll(secret, "<secret>");
  }
  for (const [folder, word] of [...folders].sort(([a], [b]) => b.length - a.length)) {
    if (folder.length > 1) result = result.replaceAll(folder, word);
  }
  return FORMS.reduce((done, [form, word]) => done.replace(form, word), result);
}

/** The same of everything in a value of JSON; fields that are somebody's own are replaced whole. */
export function redactValue(value: unknown, secrets: KnownSecrets): unknown {
  if (typeof value === "string") return redactText(value, secrets);
  if (Array.isArray(value)) return value.map((one) => redactValue(one, secrets));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      redactText(name, secrets),
      OWN_FIELDS.test(name) && one !== undefined && one !== null && typeof one !== "object"
        ? `<${name}>`
        : redactValue(one, secrets),
    ]),
  );
}
