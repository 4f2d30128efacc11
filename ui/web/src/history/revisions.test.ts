import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Row } from "../api/model";
import { shownZone } from "../lib/time";
import { row } from "../test/rows";
import { differences, summary } from "./revisions";

const now = Date.parse("2026-06-01T00:00:00Z");
const cause = (name: string, score: number, reporting = true) => ({ item: name, change: null, name, class: "switch", score, reporting, recovered: false });

beforeEach(() => shownZone.set("utc"));
afterEach(() => shownZone.set(""));

describe("the difference of two revisions", () => {
  it.each<[string, Partial<Row>, Partial<Row>, string[]]>([
    ["the same", {}, {}, []],
    ["only its number", { revision: 1 }, { revision: 2, updatedAt: "2026-01-02T11:00:00Z" }, []],
    ["a state with its time", {}, { state: "resolved", resolvedAt: "2026-01-02T11:00:00Z" }, ["State: New | Resolved", "Resolved: – | 2 Jan 11:00:00"]],
    ["a cause that is found", { causes: [] }, { causes: [cause("core-2", 0.85, false)] }, ["Cause: – | core-2, not itself reporting", "Score: – | 0.85"]],
    ["a cause too weak to be shown", { causes: [] }, { causes: [cause("core-2", 0.1)] }, ["Other causes: – | core-2 0.10"]],
    ["how many alerts", {}, { alertCounts: { firing: 14, resolved: 0, expired: 0, suppressed: 2, maintenance: 0, total: 14 } }, ["Alerts: 1 | 14", "Firing: 1 | 14", "Suppressed: 0 | 2"]],
    ["who has it", { team: "netops" }, { team: "netops", assignee: "maria" }, ["Owner: netops | maria"]],
    ["a priority that a person set", { priority: 3 }, { priority: 1, priorityOverride: 1 }, ["Priority: P3 | P1, set by a person"]],
    ["services that came and went", { services: ["cart", "search"] }, { services: ["search", "login"] }, ["Services: cart | login"]],
    ["items that came", { items: ["a"], itemCount: 1 }, { items: ["a", "b"], itemCount: 2 }, ["Items: 1 | 2", "Item names: – | b"]],
    ["items of which not all are told", { items: ["a"], itemCount: 1 }, { items: ["b"], itemCount: 80 }, ["Items: 1 | 80"]],
    ["a resolution", {}, { resolutionCode: "fixed", resolutionNotes: "new cable" }, ["Resolution: – | fixed: new cable"]],
  ])("%s", (_, before, after, want) => {
    expect(differences(row("1", before), row("1", after), now).map((d) => `${d.field}: ${d.before} | ${d.after}`)).toEqual(want);
  });

  it("names only some of many items", () => {
    const many = Array.from({ length: 40 }, (_, i) => `host-${i}`);
    const [, names] = differences(row("1", { items: ["x"], itemCount: 1 }), row("1", { items: many, itemCount: 40 }), now);
    expect(names!.after).toMatch(/^host-0, .*host-11 and 28 more$/);
  });
});

describe("one line", () => {
  it("leaves out what only repeats", () => {
    const before = row("1");
    const after = row("1", { title: "2 items", itemCount: 2, alertCounts: { firing: 2, resolved: 0, expired: 0, suppressed: 0, maintenance: 0, total: 2 } });
    expect(summary(before, after, now)).toBe("alerts 1 → 2, items 1 → 2");
  });

  it("repeats rather than say nothing", () => {
    expect(summary(row("1"), row("1", { alertCounts: { firing: 0, resolved: 1, expired: 0, suppressed: 0, maintenance: 0, total: 1 } }), now)).toBe("firing 1 → 0");
  });

  it("says of the first revision what it was, and when nobody sees a difference", () => {
    expect(summary(undefined, row("1"), now)).toBe("Title of 1, 1 alert");
    expect(summary(row("1"), row("1"), now)).toBe("nothing that people see");
  });
});
