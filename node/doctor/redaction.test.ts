import { describe, expect, it } from "vitest";
import { redactText, redactValue } from "./redaction.ts";

const secrets = { texts: ["s3cr3t-t0ken", "abc"], folders: [["/home/maria", "~"]] } as const;
const hide = (text: string): string => redactText(text, secrets);

describe("a text for strangers", () => {
  it.each([
    ["token s3cr3t-t0ken.", "token <secret>."],
    ["abc stays: it is too short to be looked for", "abc stays: it is too short to be looked for"],
    ["cannot read /home/maria/data/patients.jsonl", "cannot read ~/data/patients.jsonl"],
    [`weft join weft1${"q".repeat(40)}`, "weft join <invite>"],
    ["Authorization: Bearer abcdef123456", "Authorization: Bearer <token>"],
    [`http://127.0.0.1:4100/#${"a".repeat(43)}`, "http://127.0.0.1:4100/#<token>"],
    ["-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----", "<key>"],
    ["passphrase=correct,horse", "passphrase=<secret>,horse"],
    ['"password": "hunter22"', '"password": "<secret>"'],
    ["HF token hf_abcdefghijklmnopqrstuvwx", "HF token <secret>"],
    ["/ip4/203.0.113.7/tcp/9000/p2p/12D3KooWA", "/ip4/<address>/tcp/9000/p2p/12D3KooWA"],
    ["/dns4/node.clinic.example/tcp/1", "/dns4/<address>/tcp/1"],
    ["/ip6/2001:db8::7/tcp/1", "/ip6/<address>/tcp/1"],
    ["dialled 198.51.100.20 and 2001:db8:0:0:0:0:0:7", "dialled <address> and <address>"],
    ["write to maria@clinic.example", "write to <mail>"],
    ["/ip4/127.0.0.1/tcp/9000 version 1.2.3", "/ip4/127.0.0.1/tcp/9000 version 1.2.3"],
    [
      "peer 12D3KooWNZTL4LJ7fSSiTpe5QAErmk58oAg7q1ntwVqanW8qYYtp",
      "peer 12D3KooWNZTL4LJ7fSSiTpe5QAErmk58oAg7q1ntwVqanW8qYYtp",
    ],
  ])("of %j is %j", (text, expected) => {
    expect(hide(text)).toBe(expected);
  });

  it("is made of every text of a value, and of whole fields that are somebody's own", () => {
    const value = {
      round: 3,
      label: "Maria's laptop",
      data: "patients.jsonl",
      nested: [{ prompt: "the patient says", path: "/home/maria/x" }],
      seconds: { train: 1 },
      none: null,
    };
    expect(redactValue(value, secrets)).toEqual({
      round: 3,
      label: "<label>",
      data: "<data>",
      nested: [{ prompt: "<prompt>", path: "~/x" }],
      seconds: { train: 1 },
      none: null,
    });
  });
});
