/** What operators are told of whom a peer has to talk to, and whom it cannot reach. */
export type CompanyEvent =
  /** found: the first neighbour; lost: the last one has gone; back: there is one again. */
  | { readonly type: "company"; readonly change: "found" | "lost" | "back"; readonly peer: string; readonly at: string }
  /** There has been no neighbour since this time (ISO 8601), with so many addresses that are dialled again and again. */
  | { readonly type: "alone"; readonly since: string; readonly addresses: number }
  /** Told at the first failure, when the reason is another one, and at growing intervals. */
  | {
      readonly type: "unreachable";
      readonly address: string;
      readonly reason: string;
      /** Since this peer started. */
      readonly failures: number;
    };
