// Which rows the queue shows, in which order.
import type { Row } from "../api/model";
import { dueAt } from "../lib/due";
import { compareRows } from "../store/order";

export const tabs = [
  { id: "", name: "Open" },
  { id: "unhandled", name: "Unhandled" },
  { id: "mine", name: "Mine" },
  { id: "in_progress", name: "In progress" },
  { id: "on_hold", name: "On hold" },
  { id: "snoozed", name: "Snoozed" },
  { id: "maintenance", name: "Maintenance" },
  { id: "suppressed", name: "Suppressed" },
  { id: "flapping", name: "Flapping" },
  { id: "resolved", name: "Resolved" },
] as const;

export type TabId = (typeof tabs)[number]["id"];

export const tabOf = (s: string): TabId => tabs.find((t) => t.id === s)?.id ?? "";

const isOpen = (r: Row): boolean => r.state === "new" || r.state === "in_progress" || r.state === "on_hold";

/** Maintenance covers all of it: what fires then is expected. */
export const maintained = (r: Row): boolean => isOpen(r) && r.maintenance != null;

/** Something fires, and silences or its source hold all of it. */
export const suppressed = (r: Row): boolean => isOpen(r) && r.alertCounts.suppressed > 0 && r.alertCounts.suppressed === r.alertCounts.firing && !maintained(r);

/** What the default view shows: a snoozed or suppressed incident is out of it until its time comes. */
const inDefault = (r: Row): boolean => isOpen(r) && r.snoozedUntil === null && !suppressed(r) && !maintained(r);

/** How many rows the default view has. */
export function countOpen(rows: Iterable<Row>): number {
  let n = 0;
  for (const row of rows) if (inDefault(row)) n++;
  return n;
}

/** Nobody has taken notice of it. */
export const unhandled = (r: Row): boolean => r.state === "new" && r.acknowledgedAt === null && r.snoozedUntil === null && !suppressed(r) && !maintained(r);

/** So long, in ms, a resolved incident stands greyed among the open ones. */
export const resolvedStays = 10 * 60_000;

const resolvedLately = (r: Row, now: number): boolean =>
  r.state === "resolved" && r.resolvedAt !== null && now - Date.parse(r.resolvedAt) < resolvedStays;

/** Tells whether a row belongs into a tab by itself. */
export function inTab(r: Row, tab: TabId, person: string): boolean {
  switch (tab) {
    case "": return inDefault(r);
    case "unhandled": return unhandled(r);
    case "mine": return isOpen(r) && person !== "" && (r.assignee === person || r.acknowledgedBy === person);
    case "in_progress": return r.state === "in_progress";
    case "on_hold": return r.state === "on_hold";
    case "snoozed": return isOpen(r) && r.snoozedUntil !== null;
    case "maintenance": return maintained(r);
    case "suppressed": return suppressed(r);
    case "flapping": return r.flapping && isOpen(r);
    case "resolved": return r.state === "resolved";
  }
}

export type SortKey = "priority" | "age" | "alerts" | "items" | "due";

export interface Selection {
  tab: TabId;
  person: string;
  /** Ids that the query matches; null: there is no query. */
  matching: ReadonlySet<string> | null;
  /** The server's time in ms: what was resolved lately still stands among the open. */
  now: number;
  sort: SortKey;
  /** The row in the panel: it is never taken away under the eye. */
  kept: string | null;
}

export function select(order: readonly string[], rows: ReadonlyMap<string, Row>, s: Selection): string[] {
  const out = order.filter((id) => {
    const row = rows.get(id);
    if (row === undefined) return false;
    if (id === s.kept) return true;
    if (s.matching !== null && !s.matching.has(id)) return false;
    return inTab(row, s.tab, s.person) || (s.tab === "" && resolvedLately(row, s.now));
  });
  return s.sort === "priority" ? out : sorted(out, rows, s.sort);
}

function sorted(ids: string[], rows: ReadonlyMap<string, Row>, sort: Exclude<SortKey, "priority">): string[] {
  const key = (r: Row): number =>
    sort === "due" ? dueAt(r) : sort === "alerts" ? -r.alertCounts.total : sort === "items" ? -r.itemCount : -Date.parse(r.openedAt);
  const keyed = ids.flatMap((id) => {
    const row = rows.get(id);
    return row === undefined ? [] : [{ row, key: key(row) }];
  });
  keyed.sort((a, b) => a.key - b.key || compareRows(a.row, b.row));
  return keyed.map((k) => k.row.id);
}

/** How many rows each tab has. */
export function countTabs(rows: ReadonlyMap<string, Row>, person: string): Record<TabId, number> {
  const counts = Object.fromEntries(tabs.map((t) => [t.id, 0])) as Record<TabId, number>;
  for (const row of rows.values()) {
    for (const t of tabs) if (inTab(row, t.id, person)) counts[t.id]++;
  }
  return counts;
}
