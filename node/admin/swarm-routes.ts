/** What the page of a swarm asks: how all peers are, and their rounds. */
import { z } from "zod";
import type { AdminRoute } from "../interface/admin.ts";
import type { SwarmRounds, SwarmView } from "../interface/swarm-view.ts";
import { jsonSchema } from "./admin-answers.ts";

/** Who knows the peers. */
export interface SwarmDesk {
  /** How all of them are. */
  view(): SwarmView;
  /** Rounds of each, from these on; from 0 where none is given. */
  rounds(from: readonly number[]): SwarmRounds;
}

/** Peers of a swarm at most. */
export const SWARM_PEERS_MAX = 256;

const count = z.number().int().min(0);
const VIEW_ANSWER = z.looseObject({
  schema: z.literal("weft-swarm-view/1"),
  name: z.string(),
  rounds: count.describe("rounds of the network; 0 until a peer has told them"),
  peers: z.array(
    z.looseObject({
      number: count.describe("counted from 1"),
      isThere: z.boolean().describe("whether its admin interface answers"),
      since: z.string().describe("ISO 8601"),
      said: z.looseObject({}).optional().describe("what it said last, of itself"),
    }),
  ),
});
const ROUNDS_ANSWER = z.looseObject({
  peers: z.array(z.array(z.looseObject({ round: count }))).describe("in the order of the peers"),
});
const FROM_QUERY = z.object({
  from: z
    .string()
    .max(8 * SWARM_PEERS_MAX)
    .regex(/^(\d{1,7}(,\d{1,7})*)?$/)
    .default(""),
});

/** The routes. */
export function swarmRoutes(desk: SwarmDesk): readonly AdminRoute[] {
  return [
    {
      ...{ method: "GET", path: "/v1/swarm", name: "swarm" },
      text: "How all peers of the swarm are, each by its own word.",
      answer: jsonSchema(VIEW_ANSWER),
      handle: async () => desk.view(),
    },
    {
      ...{ method: "GET", path: "/v1/swarm/rounds", name: "swarmRounds" },
      text: "Rounds of each peer, from these on: numbers counted from 0, one for each peer, with commas between them.",
      query: jsonSchema(FROM_QUERY, "input"),
      answer: jsonSchema(ROUNDS_ANSWER),
      handle: async ({ query }) =>
        desk.rounds(
          String(query.from ?? "")
            .split(",")
            .filter((word) => word !== "")
            .map(Number),
        ),
    },
  ];
}
