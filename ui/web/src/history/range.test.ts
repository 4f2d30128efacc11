import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { shownZone } from "../lib/time";
import { clockOf, fieldOf, iso, presets, readField, resolve, spanOf, spanWords, stamp, stepWords } from "./range";

const at = (s: string) => Date.parse(s);
const now = at("2026-11-25T08:00:00Z");

afterEach(() => {
  shownZone.set("");
  vi.unstubAllEnvs();
});

describe("a range", () => {
  it("of the last hours ends now and moves with the time", () => {
    expect(presets.map((p) => (resolve(p.id, now).to - resolve(p.id, now).from) / 3_600_000)).toEqual([1, 6, 24, 168, 720]);
    expect(resolve("1h", now)).toEqual({ from: at("2026-11-25T07:00:00Z"), to: now });
    expect(resolve("1h", now + 1000).to).toBe(now + 1000);
  });

  it("from to stands still", () => {
    const fixed = { from: 1, to: 2 };
    expect(resolve(fixed, now)).toBe(fixed);
  });

  it.each([[NaN, 1], [1, NaN], [2, 1], [1, 1], [-1, 1], [1, Date.UTC(2300, 0)]])("is none from %d to %d", (from, to) => {
    expect(spanOf(from, to)).toBeNull();
  });
});

describe("in UTC", () => {
  beforeEach(() => shownZone.set("utc"));

  it("times carry their day, and their year when it is another", () => {
    expect(stamp(at("2026-11-24T08:02:56.777Z"), now)).toBe("24 Nov 08:02:56");
    expect(stamp(at("2025-11-24T08:02:56Z"), now)).toBe("24 Nov 2025 08:02:56");
  });

  it("a window says its zone, and its day once when it is the same", () => {
    expect(spanWords({ from: at("2026-11-25T07:00:00Z"), to: now }, now)).toBe("25 Nov 07:00:00 to 08:00:00 UTC");
    expect(spanWords({ from: at("2026-11-24T08:00:00Z"), to: now }, now)).toBe("24 Nov 08:00:00 to 25 Nov 08:00:00 UTC");
    expect(spanWords({ from: at("2025-11-25T07:00:00Z"), to: now }, now), "a whole year later").toBe("25 Nov 2025 07:00:00 to 25 Nov 08:00:00 UTC");
  });

  it("fields give back what they show", () => {
    expect(fieldOf(now)).toBe("2026-11-25T08:00:00");
    expect(readField(fieldOf(now))).toBe(now);
    expect(readField("2026-11-25T08:00"), "without seconds").toBe(now);
    expect(readField("")).toBeNaN();
  });
});

describe("in a zone whose clocks change", () => {
  beforeEach(() => vi.stubEnv("TZ", "Europe/Berlin"));

  it("the clock is that of the zone at the time itself", () => {
    expect(clockOf(at("2026-10-25T00:59:59Z"))).toBe("02:59:59");
    expect(clockOf(at("2026-10-25T01:00:00Z"))).toBe("02:00:00");
  });

  it("a window over the change names both zones", () => {
    expect(spanWords({ from: at("2026-10-20T08:00:00Z"), to: at("2026-10-27T08:00:00Z") }, now)).toBe("20 Oct 10:00:00 CEST to 27 Oct 09:00:00 CET");
  });

  it("fields give back what they show", () => {
    for (const time of ["2026-07-01T12:34:56Z", "2026-11-25T23:30:00Z"]) expect(iso(readField(fieldOf(at(time))))).toBe(iso(at(time)));
  });
});

it("steps are said in their largest unit", () => {
  expect([1, 30, 60, 900, 3600, 43_200, 86_400, 604_800].map(stepWords)).toEqual(["1 s", "30 s", "1 min", "15 min", "1 h", "12 h", "1 d", "7 d"]);
});
