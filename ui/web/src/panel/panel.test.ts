import { describe, expect, it } from "vitest";
import type { Alert, Path, PathNode } from "../api/model";
import { safeLink } from "./AlertDetails";
import { type DialogAction, fill, noValues } from "./form";
import { groupAlerts } from "./groups";
import { layOut, trackPath } from "./layout";

const now = new Date("2026-01-02T10:00:00Z");

describe("what a dialog sends", () => {
  const cases: [DialogAction, Partial<typeof noValues>, unknown][] = [
    ["hold", { reason: " awaiting vendor ", until: "2026-01-02T18:00:00Z" }, { body: { reason: "awaiting vendor", until: "2026-01-02T18:00:00.000Z" } }],
    ["hold", {}, { missing: "Say what it waits for." }],
    ["snooze", {}, { missing: "Say until when." }],
    ["snooze", { until: "2026-01-02T09:00:00Z" }, { missing: "The time must be in the future." }],
    ["assign", { person: "maria" }, { body: { team: null, person: "maria" } }],
    ["priority", { priority: "2", reason: "VIP" }, { body: { priority: 2, reason: "VIP" } }],
    ["priority", {}, { body: { priority: null } }],
    ["resolve", { code: "fixed", notes: "replaced", comment: "see ticket" }, { body: { code: "fixed", notes: "replaced", comment: "see ticket" } }],
    ["merge", {}, { missing: "Choose an incident." }],
    ["move", { alerts: ["1f3a"], incident: "b" }, { body: { to: "b", alerts: ["1f3a"] } }],
    ["close", { comment: "done" }, { body: { comment: "done" } }],
  ];
  it.each(cases)("for %s with %o is %o", (action, values, want) => expect(fill(action, { ...noValues, ...values }, now)).toEqual(want));
});

const alert = (name: string, item: string, part: Partial<Alert> = {}): Alert => ({
  fingerprint: `${name}${item}`.padEnd(16, "0").slice(0, 16), labels: { alertname: name, instance: item }, annotations: {}, status: "firing", severity: "warning", item,
  startsAt: "2026-01-02T10:00:00Z", lastStartsAt: "2026-01-02T10:00:00Z", endsAt: null, lastSeenAt: "2026-01-02T10:00:00Z", joinedAt: "2026-01-02T10:00:00Z",
  count: 1, source: "prom-a", generatorURL: "", acknowledged: null, suppressed: null, silencedBy: [], maintenance: null, flapping: false, evidence: [], group: "", ...part,
});

describe("alerts by name", () => {
  it("stand worst first, with how many and when they came", () => {
    const groups = groupAlerts([
      alert("NodeNotReady", "a"), alert("NodeNotReady", "b", { startsAt: "2026-01-02T10:08:00Z", status: "resolved" }),
      alert("TargetDown", "a", { severity: "critical", startsAt: "2026-01-02T10:01:00Z" }),
    ]);
    expect(groups.map((g) => [g.name, g.severity, g.alerts.length, g.firing])).toEqual([["TargetDown", "critical", 1, 1], ["NodeNotReady", "warning", 2, 1]]);
    expect(groups[1]?.arrivals).toEqual([1, 0, 0, 0, 0, 0, 0, 1]);
    expect(groups[0]?.arrivals).toEqual([0, 1, 0, 0, 0, 0, 0, 0]);
  });
});

describe("a link out of an alert", () => {
  it("leads to a web page or nowhere", () => {
    expect(safeLink("https://runbooks.example/x")).toBe("https://runbooks.example/x");
    for (const bad of ["javascript:alert(1)", "data:text/html,x", "runbook", "", undefined]) expect(safeLink(bad)).toBeNull();
  });
});

describe("the picture of a path", () => {
  const node = (id: string, role: PathNode["role"], state: PathNode["state"]): PathNode => ({ id, name: id, class: "host", role, state });
  const link = (from: string, to: string, lost: boolean, inferred = false) => ({ from, to, type: "connects_to" as const, lost, inferred });
  const path: Path = {
    at: now.toISOString(), cause: "core-2", affectedTotal: 4, sentence: "",
    nodes: [
      node("monitor", "vantage", "reachable"), node("router", "way", "reachable"), node("core-2", "cause", "silent"), node("core-1", "sibling", "reachable"),
      node("access-1", "affected", "firing"), node("host-1", "affected", "firing"), node("host-2", "affected", "silent"), node("lone", "affected", "firing"),
    ],
    links: [
      link("monitor", "router", false), link("router", "core-2", true), link("router", "core-1", false), link("core-2", "access-1", true),
      link("access-1", "host-1", true), link("access-1", "host-2", true, true), link("core-2", "lone", true),
    ],
  };

  it("has the way on the left, a branch for each item behind the cause, and a square for each behind that", () => {
    const picture = layOut(path);
    expect(picture?.stations.map((p) => p.node.id)).toEqual(["monitor", "router", "core-2", "core-1"]);
    expect(picture?.branches.map((b) => [b.name, b.squares.map((q) => q.node.id), `${b.firing} of ${b.total}`])).toEqual([
      ["access-1", ["host-1", "host-2"], "1 of 2"], ["lone", [], "1 of 1"],
    ]);
    const xs = picture?.stations.slice(0, 3).map((p) => p.x) ?? [];
    expect(xs).toEqual([...xs].sort((a, b) => a - b));
  });

  it("is none without a cause on the estate", () => {
    expect(layOut({ ...path, cause: null, nodes: [], links: [] })).toBeNull();
    expect(layOut({ ...path, nodes: [node("core-2", "cause", "reporting")], links: [] }), "and none of a lone item").toBeNull();
  });

  it("stands within its own edges, however many branches there are", () => {
    const many = Array.from({ length: 38 }, (_, i) => node(`n${i}`, "affected", "firing"));
    const picture = layOut({ ...path, nodes: [node("core-2", "cause", "silent"), ...many], links: many.map((n) => link("core-2", n.id, true)) });
    expect(picture?.branches).toHaveLength(1);
    const squares = picture?.branches[0]?.squares ?? [];
    expect(squares).toHaveLength(38);
    expect(Math.max(...squares.map((q) => q.y))).toBeLessThan(picture?.height ?? 0);
    expect(Math.max(...squares.map((q) => q.x))).toBeLessThan(picture?.width ?? 0);
  });

  it("climbs at 45° at most", () => {
    expect(trackPath({ from: { x: 0, y: 0 }, to: { x: 50, y: 0 } })).toBe("M0 0H50");
    expect(trackPath({ from: { x: 0, y: 0 }, to: { x: 100, y: 40 } })).toBe("M0 0h30L70 40H100");
  });
});
