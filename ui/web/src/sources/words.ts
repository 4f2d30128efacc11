// What the pages say about sources.
import type { Source, SourceHeartbeat, SourceRow } from "../api/model";
import { figure, plural } from "../lib/words";

const doors: Record<string, string> = {
  alertmanager: "POST /api/v1/ingest/alertmanager", alertmanager_events: "POST /api/v1/ingest/alertmanager/events", prometheus: "POST /api/v2/alerts", events: "POST /api/v1/ingest/events",
  alertmanager_topic: "the topic kafka.alertmanager_events_topic",
};

export const doorPath = (kind: string): string => doors[kind] ?? kind;

/** bad: something was refused, or its heartbeat is overdue; ok: it is heard; none: nothing came through this process. */
export function signOf(s: Source & Partial<Pick<SourceRow, "heartbeat">>): "bad" | "ok" | "none" {
  if (s.refused > 0 || s.heartbeat?.state === "silent") return "bad";
  if (s.heartbeat?.state === "waiting") return "none";
  return s.heartbeat?.state === "beating" || (s.lastAt !== null && s.accepted > 0) ? "ok" : "none";
}

/** A rate with a decimal while it is small. */
export const rate = (n: number): string => (n > 0 && n < 10 ? n.toFixed(1) : figure(Math.round(n)));

export const heartbeatWords: Record<SourceHeartbeat["state"], string> = { beating: "In time", waiting: "Waiting", silent: "Silent" };

const bases: Record<SourceHeartbeat["basis"], string> = {
  announced: "the heartbeat says itself until when it holds", configured: "configured as alertmanagers[].heartbeat",
  assumed: "a webhook repeats it after Alertmanager's repeat_interval, 4h unless alertmanagers[].heartbeat says otherwise",
};

/** What the state of a heartbeat means, and what the deadline rests on. */
export function heartbeatSentence(h: SourceHeartbeat): string {
  const state = {
    beating: "It was heard in time", silent: "It is overdue: alerts of this source may be missing",
    waiting: h.lastAt === null ? "It has not been heard yet" : "It was not heard in time; this process has not listened long enough to be sure",
  }[h.state];
  return `${state} (${bases[h.basis]}).`;
}

/** One sentence about a source. */
export function stand(s: SourceRow): string {
  if (s.heartbeat?.state === "silent") return s.heartbeat.lastAt === null ? "No heartbeat was ever heard." : "The heartbeat is overdue: alerts may be missing.";
  if (s.upstream?.error) return `It could not be read: ${s.upstream.error}`;
  if (s.lastRefused !== null) return s.lastRefused;
  if (s.lastAt === null) return s.kind === "" && s.firing === 0 && s.heartbeat === null ? "Nothing has come from it." : "Heard by another process, or before this one began.";
  if (s.accepted === 0) return "Nothing accepted yet: what came held no alert.";
  return s.unbound > 0 ? `${plural(s.unbound, "firing alert")} without an item.` : `${figure(s.accepted)} accepted: the way works.`;
}
