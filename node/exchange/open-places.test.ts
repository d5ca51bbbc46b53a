import { describe, expect, it } from "vitest";
import { createSigner } from "../../protocol/envelope.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { patient, until } from "../system/network/transport.suite.ts";
import { connect } from "./exchange.suite.ts";
import { createNet, impostor, up } from "./exchange-faults.suite.ts";
import { OpenPlaces } from "./open-places.ts";

const LIMITS = {
  ...{ neighboursMax: 8, moreGivenMax: 2, knownReserve: 2, deliveriesMin: 3, authorsMax: 4 },
  ...{ arrivingMax: 4, arrivingPerOriginMax: 3 },
};

/** Places, whose peers are named `origin number`; one called "given" was given. */
function placesOf() {
  const gone: string[] = [];
  const places = new OpenPlaces(
    {
      originOf: (peer) => peer.split(" ")[0],
      hangUp: (peer) => void gone.push(peer),
      isGiven: (peer) => peer.startsWith("given"),
    },
    LIMITS,
  );
  const arrive = (name: string): boolean => {
    const isAdmitted = places.admits(name as PeerId, name.split(" ")[0]);
    if (isAdmitted) places.begin(name as PeerId);
    return isAdmitted;
  };
  const enter = (name: string): boolean => arrive(name) && places.take(name as PeerId);
  return { places, gone, arrive, enter };
}

describe("places of a network without a roster", () => {
  it("are a part for strangers, the rest for whoever was given or has delivered", () => {
    const { places, enter, gone } = placesOf();
    const entered = Array.from({ length: 10 }, (_, n) => enter(`evil ${n}`));
    expect(entered.filter(Boolean)).toHaveLength(6);
    for (let n = 0; n < 3; n++) places.deliver("good 1" as PeerId);
    expect([enter("good 1"), enter("given 1")]).toEqual([true, true]);
    expect(gone).toEqual([]);
    // Now all are taken: for one who is known a stranger goes, the last that came.
    expect([enter("given 2"), enter("given 3"), enter("given 4")]).toEqual([true, true, true]);
    expect(gone).toEqual(["evil 5"]);
  });

  it("are given by strangers of the origin that has most to one from elsewhere, and not to one from there", () => {
    const { enter, gone } = placesOf();
    for (let n = 0; n < 6; n++) enter(`evil ${n}`);
    expect([enter("evil 6"), enter("far 1"), enter("near 1")]).toEqual([false, true, true]);
    expect(gone).toEqual(["evil 5", "evil 4"]);
    // Four of one, one each of two others: there is a place for three more, and then nobody has more than one.
    expect(["a 1", "b 1", "c 1", "d 1"].map(enter)).toEqual([true, true, true, false]);
  });

  it("are no one's who has delivered less than a few updates, or longer ago than that of many others", () => {
    const { places, enter } = placesOf();
    for (let n = 0; n < 6; n++) enter(`evil ${n}`);
    for (let n = 0; n < 2; n++) places.deliver("evil 7" as PeerId);
    expect(enter("evil 7")).toBe(false);
    for (let n = 0; n < 3; n++) places.deliver("evil 8" as PeerId);
    for (let n = 0; n < LIMITS.authorsMax; n++) places.deliver(`good ${n}` as PeerId);
    expect(enter("evil 8")).toBe(false);
  });

  it("are given by the origin that has most keys which deliver, where those have taken all", () => {
    const { places, enter, gone } = placesOf();
    // Authors of which so many are remembered.
    for (let n = 0; n < 8; n++) {
      for (let update = 0; update < 3; update++) places.deliver(`evil ${n}` as PeerId);
      expect(enter(`evil ${n}`)).toBe(true);
    }
    expect(enter("evil 8")).toBe(false);
    expect([enter("far 1"), enter("near 1"), enter("given 1")]).toEqual([true, true, true]);
    expect(gone.every((peer) => peer.startsWith("evil"))).toBe(true);
  });

  it("before a stranger is admitted are a few of one origin, and some in all, of which one goes for another origin", () => {
    const { places, arrive, gone } = placesOf();
    expect([1, 2, 3, 4].map((n) => arrive(`evil ${n}`))).toEqual([true, true, true, false]);
    expect([arrive("worse 1"), arrive("far 1"), arrive("given 1")]).toEqual([true, true, true]);
    expect(gone).toEqual(["evil 3"]);
    expect([arrive("near 1"), arrive("next 1")]).toEqual([true, false]);
    places.end("worse 1" as PeerId);
    expect(arrive("next 1")).toBe(true);
    // Where this peer dials by itself, it is asked for no origin.
    expect(places.admits("near 2" as PeerId, undefined)).toBe(true);
  });
});

describe("an exchange in a network without a roster", () => {
  const exchange = { neighboursMax: 4, moreAdminsMax: 1 };

  it("has a place for a peer whose address was given, however many strangers were there first", async () => {
    const net = createNet();
    const friend = createSigner(new Uint8Array(32).fill(9)).peer;
    const victim = await up(net, { seed: 1, exchange: { ...exchange, isGiven: (peer) => peer === friend } });
    const strangers = [2, 3, 4].map((seed) => up(net, { seed }));
    for (const stranger of strangers) await connect(await stranger, victim);
    const fourth = await up(net, { seed: 5 });
    await fourth.transport.dial(victim.transport.addresses()[0]!, patient());
    await until(() => fourth.said.length > 0);
    expect(fourth.said).toEqual(["peer refused: the peer has no room for another neighbour"]);
    await connect(await up(net, { seed: 9 }), victim);
    expect(victim.exchange.admitted()).toHaveLength(4);
    const standings = [friend, (await strangers[0]!).transport.peer, fourth.transport.peer].map((peer) =>
      victim.exchange.standingOf(peer),
    );
    expect(standings).toEqual(["known", "guest", "nobody"]);
    expect(victim.exchange.hasRoomFor(fourth.transport.peer, undefined)).toBe(true);
  });

  it("gives nobody a place beyond them who says welcome to its greeting and greets not", async () => {
    const net = createNet();
    const victim = await up(net, { seed: 1, exchange });
    for (const seed of [2, 3, 4]) await connect(await up(net, { seed }), victim);
    const sly = await impostor(net, { seed: 9 });
    await sly.dial(victim);
    await until(() => victim.said.length > 0);
    expect(victim.said).toEqual(["peer refused: there is no room for another neighbour"]);
    expect(victim.exchange.admitted()).toHaveLength(3);
  });
});
