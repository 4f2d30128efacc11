// The alerts of an incident by name, and when they arrived: a storm of hundreds is a handful of lines.
import type { Alert, Severity } from "../api/model";

export interface AlertGroup {
  name: string;
  /** The worst among them. */
  severity: Severity;
  alerts: Alert[];
  firing: number;
  /** How many began in each part of the span of all groups. */
  arrivals: number[];
}

const severities: readonly Severity[] = ["critical", "major", "minor", "warning", "info", "none"];

export const arrivalBars = 8;

export const alertName = (a: Alert): string => a.labels.alertname ?? a.fingerprint;

/** Groups alerts by name: the worst first, then the largest. */
export function groupAlerts(alerts: readonly Alert[]): AlertGroup[] {
  const groups = new Map<string, AlertGroup>();
  const times = alerts.map((a) => Date.parse(a.startsAt));
  const first = Math.min(...times);
  const span = Math.max(1, Math.max(...times) - first);
  for (const [i, alert] of alerts.entries()) {
    const name = alertName(alert);
    const group = groups.get(name) ?? { name, severity: alert.severity, alerts: [], firing: 0, arrivals: new Array<number>(arrivalBars).fill(0) };
    groups.set(name, group);
    group.alerts.push(alert);
    if (rank(alert.severity) < rank(group.severity)) group.severity = alert.severity;
    if (alert.status === "firing") group.firing++;
    const bar = Math.min(arrivalBars - 1, Math.floor((((times[i] ?? first) - first) / span) * arrivalBars));
    group.arrivals[bar] = (group.arrivals[bar] ?? 0) + 1;
  }
  return [...groups.values()].sort((a, b) => rank(a.severity) - rank(b.severity) || b.alerts.length - a.alerts.length || (a.name < b.name ? -1 : 1));
}

const rank = (s: Severity): number => severities.indexOf(s);

/** From when to when the alerts began, in ms; null without alerts. */
export function arrivalSpan(alerts: readonly Alert[]): { from: number; to: number } | null {
  if (alerts.length === 0) return null;
  const times = alerts.map((a) => Date.parse(a.startsAt));
  return { from: Math.min(...times), to: Math.max(...times) };
}
