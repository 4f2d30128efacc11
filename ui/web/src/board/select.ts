// Which rows the queue shows, in which order.
import type { Row } from "../api/model";
import { compareRows } from "../store/order";

export const tabs = [
  { id: "", name: "Open" },
  { id: "unhandled", name: "Unhandled" },
  { id: "mine", name: "Mine" },
  { id: "in_progress", name: "In progress" },
  { id: "on_hold", name: "On hold" },
  { id: "snoozed", name: "Snoozed" },
  { id: "flapping", name: "Flapping" },
  { id: "resolved", name: "Resolved" },
] as const;

export type TabId = (typeof tabs)[number]["id"];

export const tabOf = (s: string): TabId => tabs.find((t) => t.id === s)?.id ?? "";

const isOpen = (r: Row): boolean => r.state === "new" || r.state === "in_progress" || r.state === "on_hold";

/** Nobody has taken notice of it. */
export const unhandled = (r: Row): boolean => r.state === "new" && r.acknowledgedAt === null && r.snoozedUntil === null;

/** Tells whether a row belongs into a tab. Resolved ones stand among the open when they are shown at all. */
export function inTab(r: Row, tab: TabId, person: string): boolean {
  switch (tab) {
    case "": return isOpen(r);
    case "unhandled": return unhandled(r);
    case "mine": return isOpen(r) && person !== "" && (r.assignee === person || r.acknowledgedBy === person);
    case "in_progress": return r.state === "in_progress";
    case "on_hold": return r.state === "on_hold";
    case "snoozed": return isOpen(r) && r.snoozedUntil !== null;
    case "flapping": return r.flapping && isOpen(r);
    case "resolved": return r.state === "resolved";
  }
}

export type SortKey = "priority" | "age" | "alerts" | "items";

export interface Selection {
  tab: TabId;
  person: string;
  /** Ids that the query matches; null: there is no query. */
  matching: ReadonlySet<string> | null;
  /** Whether resolved ones stand among the open. */
  resolved: boolean;
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
    return inTab(row, s.tab, s.person) || (s.tab === "" && s.resolved && row.state === "resolved");
  });
  return s.sort === "priority" ? out : sorted(out, rows, s.sort);
}

function sorted(ids: string[], rows: ReadonlyMap<string, Row>, sort: Exclude<SortKey, "priority">): string[] {
  const key = (r: Row): number =>
    sort === "alerts" ? -r.alertCounts.total : sort === "items" ? -r.itemCount : -Date.parse(r.openedAt);
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
