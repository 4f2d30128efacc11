import { describe, expect, it } from "vitest";
import { clock, row, start } from "../test/rows";
import { dueAt, leftOf, nextClock, span } from "./due";

const at = (minutes: number) => start + minutes * 60_000;
const stopped = new Date(start).toISOString();

describe("the clock of a row", () => {
  const first = clock(10);
  const paused = clock(null, { state: "paused", pausedAt: stopped, elapsedSeconds: 60 });
  const breached = clock(5, { state: "breached", stoppedAt: stopped, elapsedSeconds: 900 });
  const met = clock(null, { state: "met", stoppedAt: stopped, elapsedSeconds: 60 });
  const cancelled = clock(null, { state: "cancelled", stoppedAt: stopped });
  it.each([
    ["what runs and is due first", [met, clock(20), first, paused], first],
    ["one that runs on although it is breached", [clock(20), clock(-5, { state: "breached" })], clock(-5, { state: "breached" })],
    ["what is paused when nothing runs", [met, breached, paused], paused],
    ["a breach before what was met", [met, breached], breached],
    ["what was met", [cancelled, met], met],
    ["nothing when all is cancelled", [cancelled], undefined],
  ])("is %s", (_, sla, want) => expect(nextClock(row("1", { sla }))).toEqual(want));

  it("is none in a row of an older version", () => {
    expect(nextClock({})).toBeUndefined();
    expect(dueAt({ slaDueAt: null })).toBe(Infinity);
  });
});

describe("the time left", () => {
  it.each([
    [clock(90), at(0), "1h 30m"], [clock(90), at(90), "0s"], [clock(90), at(102), "12m late"], [clock(90), at(60 * 30), "1d late"],
    [clock(null, { state: "paused", pausedAt: stopped }), at(0), "paused"], [clock(90, { state: "breached", stoppedAt: stopped }), at(0), "breached"],
  ])("of %o at %d is %s", (c, now, want) => expect(leftOf(c, now)).toBe(want));

  it("of a promise is in two units at most", () => {
    expect([14_400, 5400, 90_000, 45, 0, 93_784].map(span)).toEqual(["4h", "1h 30m", "1d 1h", "45s", "0s", "1d 2h"]);
  });
});
