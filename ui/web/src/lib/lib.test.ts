import { describe, expect, it } from "vitest";
import { row } from "../test/rows";
import { describeChanges } from "./diff";
import { liveness } from "./live";
import { matcher, terms, withoutLast, withTerm } from "./query";
import { age, clock, coarse, dataAge, moment, nextAt, shownZone, until, zone } from "./time";
import { bestCause, figure, plural, refusal, spoken } from "./words";

const s = 1000;
const min = 60 * s;
const hour = 60 * min;
const day = 24 * hour;

describe("ages", () => {
  it.each([[42 * s, "42s"], [6 * min + 12 * s, "6m 12s"], [2 * hour + 4 * min, "2h 04m"], [3 * day + 11 * hour, "3d 11h"], [-5 * s, "0s"]])(
    "of %d ms stand in two units: %s", (ms, text) => expect(age(ms)).toBe(text),
  );

  it("stand in one unit in a chip, and with a space beside the connection", () => {
    expect(coarse(4 * min + 10 * s)).toBe("4m");
    expect(dataAge(44_400)).toBe("44 s");
    expect(dataAge(72_000)).toBe("1m 12s");
  });
});

describe("times", () => {
  it("are as short as they can be without being mistaken, in the zone that was chosen", () => {
    shownZone.set("utc");
    const now = new Date("2026-01-02T10:00:00Z");
    expect(clock(now)).toBe("10:00:00");
    expect(zone(now)).toBe("UTC");
    expect(moment("2026-01-02T03:01:19Z", now)).toBe("03:01:19");
    expect(moment("2026-01-01T23:59:00Z", now)).toBe("1 Jan 23:59");
    expect(moment("2025-12-31T23:59:00Z", now)).toBe("31 Dec 2025");
    expect(until("2026-01-02T18:00:00Z", now)).toBe("18:00");
    shownZone.set("");
  });

  it("of the next morning are never in the past", () => {
    const now = new Date(2026, 0, 2, 6, 0, 1);
    expect(nextAt(6, now)).toEqual(new Date(2026, 0, 3, 6, 0, 0));
  });
});

describe("a query", () => {
  it("is taken apart at spaces and commas, but not within quotes", () => {
    expect(terms(`alertname=~"Kube .*", priority<=2 switch 'a b' x="say \\"hi\\""`)).toEqual([
      'alertname=~"Kube .*"', "priority<=2", "switch", "'a b'", 'x="say \\"hi\\""',
    ]);
  });

  it("takes a matcher once, and gives the last one back", () => {
    const q = withTerm("switch", matcher("site", "=", 'dc "north"'));
    expect(q).toBe('switch site="dc \\"north\\""');
    expect(withTerm(q, "switch")).toBe(q);
    expect(withoutLast(q)).toBe("switch");
  });
});

describe("words", () => {
  it("count people's way", () => {
    expect(figure(412_000)).toBe("412,000");
    expect([plural(1, "alert"), plural(0, "alert")]).toEqual(["1 alert", "0 alerts"]);
  });

  it("make a code readable, and leave what people wrote", () => {
    expect([spoken("awaiting_vendor"), spoken("Spare part, Tuesday")]).toEqual(["Awaiting vendor", "Spare part, Tuesday"]);
  });

  it("call nothing a cause that scores 0.2 or less", () => {
    const cause = row("a").causes[0]!;
    expect(bestCause({ causes: [{ ...cause, score: 0.2 }] })).toBeUndefined();
    expect(bestCause({ causes: [{ ...cause, score: 0.21 }] })?.name).toBe("Core switch 1");
  });

  it("say why a command cannot be given", () => {
    expect(refusal("resolve", row("a", { state: "resolved" }))).toBe("Not possible while the incident is resolved.");
    expect(refusal("acknowledge", row("a", { acknowledgedAt: "2026-01-02T10:00:00Z" }))).toBe("It is acknowledged already.");
    expect(refusal("merge", row("a", { state: "closed", mergedInto: "b" }))).toBe("It is merged into another incident.");
    expect(refusal("comment", row("a", { state: "closed" }))).toBeNull();
  });

  it("tell what another command has changed", () => {
    const before = row("a");
    const after = row("a", { state: "in_progress", acknowledgedBy: "tom", assignee: "tom", priority: 1 });
    expect(describeChanges(before, after)).toEqual([
      "state New → In progress", "acknowledged by tom", "owner nobody → tom", "priority P3 → P1",
    ]);
    expect(describeChanges(before, before)).toEqual([]);
  });
});

describe("the one word for the connection", () => {
  const open = { phase: "open" as const, heardAt: 0, tryAt: null, reason: null };
  it.each([[1, false, "live"], [6, false, "slow"], [15, false, "stale"], [1, true, "paused"], [15, true, "stale"]])(
    "%d s after the last message, paused: %s, is %s", (seconds, paused, word) => expect(liveness(open, paused, seconds * s)).toBe(word),
  );

  it("knows no connection yet from one that broke", () => {
    expect(liveness({ ...open, phase: "loading", heardAt: null }, false, 0)).toBe("connecting");
    expect(liveness({ ...open, phase: "broken" }, true, 0)).toBe("disconnected");
  });
});
