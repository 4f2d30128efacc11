// What the pages say about sources.
import type { SourceRow } from "../api/model";
import { figure, plural } from "../lib/words";

const doors: Record<string, string> = {
  alertmanager: "POST /api/v1/ingest/alertmanager", alertmanager_events: "POST /api/v1/ingest/alertmanager/events", prometheus: "POST /api/v2/alerts", events: "POST /api/v1/ingest/events",
};

export const doorPath = (kind: string): string => doors[kind] ?? kind;

/** bad: something was refused; ok: it sends; none: nothing came through this process. */
export function signOf(s: Pick<SourceRow, "lastAt" | "accepted" | "refused">): "bad" | "ok" | "none" {
  if (s.refused > 0) return "bad";
  return s.lastAt !== null && s.accepted > 0 ? "ok" : "none";
}

/** A rate with a decimal while it is small. */
export const rate = (n: number): string => (n > 0 && n < 10 ? n.toFixed(1) : figure(Math.round(n)));

/** One sentence about a source. */
export function stand(s: SourceRow): string {
  if (s.lastRefused !== null) return s.lastRefused;
  if (s.lastAt === null) return "Heard by another process, or before this one began.";
  if (s.accepted === 0) return "Nothing accepted yet: what came held no alert.";
  return s.unbound > 0 ? `${plural(s.unbound, "firing alert")} without an item.` : `${figure(s.accepted)} accepted: the way works.`;
}
