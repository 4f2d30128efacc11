import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AlertVolume } from "../api/model";
import { shownZone } from "../lib/time";
import type { Span } from "./range";
import { barsOf, chartSentence, countWords, niceMax, severities, snap, stepsOf, stepTime, ticksOf, timeAt, totals, wider } from "./volume";

const at = (s: string) => Date.parse(s);
const minute = 60_000;
const hour = 60 * minute;
// Steps of 15 min, of which the window cuts the first and the last.
const volume: AlertVolume = {
  from: "2026-11-25T07:50:00Z", to: "2026-11-25T08:40:00Z", stepSeconds: 900,
  buckets: [{ at: "2026-11-25T07:45:00Z", counts: { warning: 1 } }, { at: "2026-11-25T08:15:00Z", counts: { critical: 60, warning: 80 } }],
};

beforeEach(() => shownZone.set("utc"));
afterEach(() => {
  shownZone.set("");
  vi.unstubAllEnvs();
});

describe("the steps", () => {
  it("fill the window without a gap, also where nothing began", () => {
    const steps = stepsOf(volume);
    expect(steps.map((s) => s.total)).toEqual([1, 0, 140, 0]);
    expect(steps[0]!.from).toBe(at(volume.from));
    expect(steps.at(-1)!.to).toBe(at(volume.to));
    for (const [i, s] of steps.entries()) if (i > 0) expect(s.from).toBe(steps[i - 1]!.to);
  });

  it("are counted by severity", () => {
    expect(totals(stepsOf(volume))).toEqual({ warning: 81, critical: 60 });
    expect(countWords({ info: 1, critical: 2 })).toBe("2 critical, 1 info");
    expect(countWords({})).toBe("no alert");
  });

  it("are said in one sentence", () => {
    expect(chartSentence(stepsOf(volume), 900)).toBe("141 alerts began in steps of 15 min: 60 critical, 81 warning. The most, 140, from 25 Nov 08:15 to 08:30.");
    expect(chartSentence(stepsOf({ ...volume, buckets: [] }), 900)).toBe("No alert began in this window.");
  });

  it("say their seconds where they need them, and the day they end", () => {
    const t = at("2026-11-25T08:00:00Z");
    expect(stepTime({ from: t, to: t + 5000 }, 5)).toBe("25 Nov 08:00:00 to 08:00:05");
    expect(stepTime({ from: t, to: t + 24 * hour }, 86_400)).toBe("25 Nov 08:00 to 26 Nov 08:00");
  });
});

describe("a bar", () => {
  const [, , storm] = stepsOf(volume);

  it("stands on the worst severity, its pieces on each other", () => {
    const bars = barsOf(storm!, 200, 100);
    expect(bars.map((b) => b.severity)).toEqual(["critical", "warning"]);
    expect(bars[0]!.y + bars[0]!.height).toBe(100);
    expect(bars[1]!.y + bars[1]!.height).toBeCloseTo(bars[0]!.y);
    expect(bars[0]!.height + bars[1]!.height).toBeCloseTo(70);
  });

  it("of one alert is seen beside a storm", () => {
    expect(barsOf({ from: 0, to: 1, counts: { minor: 1 }, total: 1 }, 100_000, 100)[0]!.height).toBe(2);
  });

  it("of nothing is none", () => expect(barsOf({ from: 0, to: 1, counts: {}, total: 0 }, 1, 100)).toEqual([]));

  it("has a place for every severity", () => expect(new Set(severities).size).toBe(6));
});

it("the scale ends at a round number that holds everything", () => {
  expect([0, 1, 2, 7, 9, 11, 99, 140, 154, 850].map(niceMax)).toEqual([1, 1, 2, 8, 10, 20, 100, 200, 200, 1000]);
});

describe("the ticks", () => {
  const words = (w: Span, most: number) => ticksOf(w, most).map((t) => t.label);

  it("are round times, and never more than there is room for", () => {
    expect(words({ from: at("2026-11-25T07:17:06Z"), to: at("2026-11-25T08:17:06Z") }, 6)).toEqual(["07:20", "07:30", "07:40", "07:50", "08:00", "08:10"]);
    expect(words({ from: at("2026-11-25T08:00:00Z"), to: at("2026-11-25T08:00:20Z") }, 4)).toEqual(["08:00:00", "08:00:05", "08:00:10", "08:00:15"]);
    for (const most of [1, 2, 5, 15]) {
      for (const length of [1000, minute, 7 * minute, hour, 26 * hour, 30 * 24 * hour, 400 * 24 * hour]) {
        const from = at("2026-11-01T00:00:01Z");
        expect(ticksOf({ from, to: from + length }, most).length).toBeLessThanOrEqual(most + 1);
      }
    }
  });

  it("say the day at its beginning", () => {
    expect(words({ from: at("2026-11-24T20:00:00Z"), to: at("2026-11-25T05:00:00Z") }, 3)).toEqual(["21:00", "25 Nov", "03:00"]);
    expect(words({ from: at("2026-11-23T12:00:00Z"), to: at("2026-11-26T12:00:00Z") }, 4)).toEqual(["24 Nov", "25 Nov", "26 Nov"]);
  });

  it.each([["back", "2026-10-24T10:00:00Z"], ["forward", "2026-03-28T10:00:00Z"]])("stay round when the clocks are put %s", (_, from) => {
    shownZone.set("");
    vi.stubEnv("TZ", "Europe/Berlin");
    for (const [length, most, pattern] of [[24 * hour, 12, /^(\d\d:00|\d+ \w+)$/], [3 * 24 * hour, 4, /^\d+ \w+$/]] as const) {
      const ticks = ticksOf({ from: at(from), to: at(from) + length }, most);
      expect(ticks.length).toBeGreaterThan(1);
      for (const t of ticks) expect(t.label).toMatch(pattern);
      expect(ticks.every((t, i) => i === 0 || t.at > ticks[i - 1]!.at)).toBe(true);
    }
  });
});

describe("a hand on the chart", () => {
  const window = { from: at(volume.from), to: at(volume.to) };

  it("is at a time, and never outside", () => {
    expect(timeAt(0, 500, window)).toBe(window.from);
    expect(timeAt(250, 500, window)).toBe(at("2026-11-25T08:15:00Z"));
    expect(timeAt(-7, 500, window)).toBe(window.from);
    expect(timeAt(900, 500, window)).toBe(window.to);
  });

  it("chooses whole steps, in either direction, inside the window", () => {
    const [a, b] = [at("2026-11-25T08:02:00Z"), at("2026-11-25T08:20:00Z")];
    const want = { from: at("2026-11-25T08:00:00Z"), to: at("2026-11-25T08:30:00Z") };
    expect(snap(a, b, window, 900)).toEqual(want);
    expect(snap(b, a, window, 900)).toEqual(want);
    expect(snap(window.from, window.to, window, 900)).toEqual(window);
    expect(snap(want.from, want.from, window, 900), "a click between two steps").toEqual({ from: want.from, to: want.from + 15 * minute });
  });
});

describe("the way back", () => {
  const [day, morning, storm] = [{ from: 0, to: 100 }, { from: 20, to: 60 }, { from: 30, to: 40 }];

  it("goes through the windows that were left, then to the whole range", () => {
    const first = wider([day, morning], storm);
    expect(first).toEqual({ zoom: morning, trail: [day] });
    expect(wider(first.trail, morning)).toEqual({ zoom: day, trail: [] });
    expect(wider([], day)).toEqual({ zoom: null, trail: [] });
  });

  it("passes over windows that do not hold the present one", () => {
    expect(wider([day, { from: 70, to: 80 }, storm], storm)).toEqual({ zoom: day, trail: [] });
  });
});
