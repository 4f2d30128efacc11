import { describe, expect, it } from "vitest";
import type { Row } from "../api/model";
import { row, start } from "../test/rows";
import { between } from "./selection";
import { countTabs, inTab, resolvedStays, select, type Selection } from "./select";

const resolvedAt = new Date(start).toISOString();
const rows = [
  row("new"), row("taken", { state: "in_progress", acknowledgedAt: resolvedAt, acknowledgedBy: "maria" }),
  row("waits", { state: "on_hold", assignee: "tom" }), row("sleeps", { snoozedUntil: "2026-01-03T10:00:00Z" }),
  row("over", { state: "resolved", resolvedAt }), row("flaps", { flapping: true }),
  row("serviced", { alertCounts: { firing: 1, resolved: 0, expired: 0, suppressed: 1, maintenance: 1, total: 1 }, maintenance: { change: "mw-1", title: "New disks", endsAt: null } }),
];
const board = new Map<string, Row>(rows.map((r) => [r.id, r]));
const shown = (part: Partial<Selection>) =>
  select(rows.map((r) => r.id), board, { tab: "", person: "maria", matching: null, now: start, sort: "priority", kept: null, ...part });

describe("the open tab", () => {
  it("hides what is snoozed, and shows for ten minutes what was resolved", () => {
    expect(shown({})).toEqual(["new", "taken", "waits", "over", "flaps"]);
    expect(shown({ now: start + resolvedStays })).not.toContain("over");
  });

  it("never takes away the row in the panel", () => {
    expect(shown({ now: start + resolvedStays, kept: "over" })).toContain("over");
    expect(shown({ matching: new Set(["new"]), kept: "taken" })).toEqual(["new", "taken"]);
  });

  it("sorts by what the head says", () => {
    const many = new Map([["a", row("a", { itemCount: 2 })], ["b", row("b", { itemCount: 9 })]]);
    expect(select(["a", "b"], many, { tab: "", person: "", matching: null, now: start, sort: "items", kept: null })).toEqual(["b", "a"]);
  });
});

describe("due times", () => {
  const due = (minutes: number) => new Date(start + minutes * 60_000).toISOString();
  it("sort by what is due first; what has none comes last, in the usual order", () => {
    const many = new Map([
      ["late", row("late", { slaDueAt: due(-5) })], ["none", row("none", { priority: 2 })], ["soon", row("soon", { slaDueAt: due(5) })], ["first", row("first", { priority: 1 })],
    ]);
    const order = select([...many.keys()], many, { tab: "", person: "", matching: null, now: start, sort: "due", kept: null });
    expect(order).toEqual(["late", "soon", "first", "none"]);
  });
});

describe("the tabs", () => {
  it("count what each of them would show", () => {
    expect(countTabs(board, "maria")).toEqual({
      "": 4, unhandled: 2, mine: 1, in_progress: 1, on_hold: 1, snoozed: 1, maintenance: 1, suppressed: 0, flapping: 1, resolved: 1,
    });
  });
});

describe("a range", () => {
  it("reaches both ways, and from nowhere is the row itself", () => {
    expect(between(["a", "b", "c", "d"], "d", "b")).toEqual(["b", "c", "d"]);
    expect(between(["a", "b"], "gone", "b")).toEqual(["b"]);
    expect(between(["a"], "a", "gone")).toEqual([]);
  });
});

describe("silences", () => {
  const counts = (firing: number, suppressed: number) => ({ firing, suppressed, resolved: 0, expired: 0, maintenance: 0, total: firing });
  it.each([
    ["all that fires is suppressed", counts(2, 2), "new", false, true],
    ["something fires that is not", counts(3, 2), "new", true, false],
    ["nothing fires", counts(0, 0), "new", true, false],
    ["it is resolved", counts(1, 1), "resolved", false, false],
  ] as const)("%s", (_, alertCounts, state, open, suppressed) => {
    const r = row("a", { alertCounts, state });
    expect([inTab(r, "", ""), inTab(r, "unhandled", ""), inTab(r, "suppressed", "")]).toEqual([open, open, suppressed]);
  });
});
