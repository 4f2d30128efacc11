// Windows of time: from presets, from what a person types, and in words. Times are in ms since 1970.
import { shownZone, zone } from "../lib/time";

/** [from, to). */
export interface Span {
  from: number;
  to: number;
}

const hour = 3_600_000;

export const presets = [
  { id: "1h", name: "1 h", ms: hour },
  { id: "6h", name: "6 h", ms: 6 * hour },
  { id: "24h", name: "24 h", ms: 24 * hour },
  { id: "7d", name: "7 d", ms: 7 * 24 * hour },
  { id: "30d", name: "30 d", ms: 30 * 24 * hour },
] as const;

export type Preset = (typeof presets)[number]["id"];

/** The last so many hours, or a window that stands still. */
export type Range = Preset | Span;

export const defaultRange: Preset = "24h";

export const presetOf = (s: string | null): Preset | null => presets.find((p) => p.id === s)?.id ?? null;

/** The window of a range at a time. */
export function resolve(range: Range, now: number): Span {
  if (typeof range !== "string") return range;
  const ms = presets.find((p) => p.id === range)?.ms ?? 0;
  return { from: now - ms, to: now };
}

export const iso = (ms: number): string => new Date(ms).toISOString();

/** The window of two moments as they come from an address or a form; null when they make none that the server takes. */
export function spanOf(from: number, to: number): Span | null {
  return from >= 0 && from < to && to < Date.UTC(2262, 0) ? { from, to } : null;
}

/** What the clock of the shown zone is ahead of UTC at a time. */
export const zoneOffset = (ms: number): number => (shownZone.get() === "utc" ? 0 : -new Date(ms).getTimezoneOffset() * 60_000);

/** A time with the fields of the shown zone in its UTC getters. */
const shown = (ms: number): Date => new Date(ms + zoneOffset(ms));

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export function dayOf(ms: number): string {
  const t = shown(ms);
  return `${t.getUTCDate()} ${months[t.getUTCMonth()] ?? ""}`;
}

/** The clock time with seconds. */
export const clockOf = (ms: number): string => shown(ms).toISOString().slice(11, 19);

/** A moment of the past with seconds; `now` tells which year need not be said: 24 Nov 08:02:56. */
export function stamp(ms: number, now: number): string {
  const year = shown(ms).getUTCFullYear();
  return `${dayOf(ms)}${year === shown(now).getUTCFullYear() ? "" : ` ${year}`} ${clockOf(ms)}`;
}

/** A window in words, with the name of its zone: both names when the clocks change in it. */
export function spanWords(w: Span, now: number): string {
  const [a, b] = [zone(new Date(w.from)), zone(new Date(w.to))];
  const sameDay = dayOf(w.from) === dayOf(w.to) && w.to - w.from < 24 * hour;
  const end = sameDay ? clockOf(w.to) : stamp(w.to, now);
  return a === b ? `${stamp(w.from, now)} to ${end} ${a}` : `${stamp(w.from, now)} ${a} to ${end} ${b}`;
}

/** The value of a datetime-local field, in the shown zone. */
export const fieldOf = (ms: number): string => shown(ms).toISOString().slice(0, 19);

/** The time of such a field; NaN when it is not filled. */
export const readField = (text: string): number => Date.parse(shownZone.get() === "utc" ? `${text}Z` : text);

/** The length of a step: 5 s, 15 min, 3 h, 2 d. */
export function stepWords(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${seconds / 60} min`;
  return seconds < 86_400 ? `${seconds / 3600} h` : `${seconds / 86_400} d`;
}
