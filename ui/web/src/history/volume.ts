// The geometry of the chart of alerts over time, and what a hand on it means.
import type { AlertVolume, Severity } from "../api/model";
import { plural } from "../lib/words";
import { clockOf, dayOf, type Span, stepWords, zoneOffset } from "./range";

/** From the foot of a bar to its top: the worst has the common base, so that it can be compared. */
export const severities: readonly Severity[] = ["critical", "major", "minor", "warning", "info", "none"];

export interface Step extends Span {
  counts: Readonly<Record<string, number>>;
  total: number;
}

/** Every step of the window, also those in which nothing began. The first and the last are cut at its ends. */
export function stepsOf(v: AlertVolume): Step[] {
  const [from, to, step] = [Date.parse(v.from), Date.parse(v.to), v.stepSeconds * 1000];
  const filled = new Map(v.buckets.map((b) => [Date.parse(b.at), b.counts]));
  const out: Step[] = [];
  for (let at = Math.floor(from / step) * step; at < to; at += step) {
    const counts = filled.get(at) ?? {};
    out.push({ from: Math.max(at, from), to: Math.min(at + step, to), counts, total: Object.values(counts).reduce((a, b) => a + b, 0) });
  }
  return out;
}

export function totals(steps: readonly Step[]): Record<string, number> {
  const out: Record<string, number> = {};
  for (const s of steps) for (const [severity, n] of Object.entries(s.counts)) out[severity] = (out[severity] ?? 0) + n;
  return out;
}

/** The counts of a step in words, the worst first. */
export function countWords(counts: Readonly<Record<string, number>>): string {
  const words = severities.flatMap((s) => ((counts[s] ?? 0) > 0 ? [`${counts[s] ?? 0} ${s}`] : []));
  return words.length === 0 ? "no alert" : words.join(", ");
}

/** When a step was: 08:00 to 08:15, with seconds where the step needs them, with the day of its end where that is another. */
export function stepTime(s: Span, stepSeconds: number): string {
  const cut = stepSeconds < 60 ? 8 : 5;
  const end = clockOf(s.to).slice(0, cut);
  const day = dayOf(s.from) === dayOf(s.to) ? "" : `${dayOf(s.to)} `;
  return `${dayOf(s.from)} ${clockOf(s.from).slice(0, cut)} to ${day}${end}`;
}

/** The chart in one sentence, for those who do not see it. */
export function chartSentence(steps: readonly Step[], stepSeconds: number): string {
  const all = steps.reduce((n, s) => n + s.total, 0);
  const worst = steps.reduce<Step | null>((best, s) => (best === null || s.total > best.total ? s : best), null);
  if (all === 0 || worst === null) return "No alert began in this window.";
  return `${plural(all, "alert")} began in steps of ${stepWords(stepSeconds)}: ${countWords(totals(steps))}. The most, ${worst.total}, from ${stepTime(worst, stepSeconds)}.`;
}

/** The end of the scale: the next of 1, 2, 3, 4, 5, 6, 8, 10, 20 … */
export function niceMax(n: number): number {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, n))));
  return ([1, 2, 3, 4, 5, 6, 8].find((m) => m * power >= n) ?? 10) * power;
}

export interface Bar {
  severity: Severity;
  y: number;
  height: number;
}

// A single alert beside a storm must still be seen.
const leastHeight = 2;

/** The pieces of one bar from the foot up, in a plot of a height (px) whose scale ends at max. */
export function barsOf(step: Step, max: number, height: number): Bar[] {
  if (step.total === 0) return [];
  const whole = Math.max(leastHeight, (step.total / max) * height);
  let y = height;
  return severities.flatMap((severity) => {
    const part = ((step.counts[severity] ?? 0) / step.total) * whole;
    y -= part;
    return part === 0 ? [] : [{ severity, y, height: part }];
  });
}

const minute = 60_000;
const day = 86_400_000;
const tickSteps = [
  1000, 5000, 10_000, 15_000, 30_000, minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute, 60 * minute, 120 * minute, 180 * minute,
  360 * minute, 720 * minute, day, 2 * day, 5 * day, 7 * day,
];

export interface Tick {
  at: number;
  label: string;
}

/** Round times in a window, in the shown zone, at most as many as asked for. */
export function ticksOf(w: Span, most: number): Tick[] {
  const step = tickSteps.find((s) => (w.to - w.from) / s <= most) ?? Math.ceil((w.to - w.from) / most / day) * day;
  const out: Tick[] = [];
  for (let t = w.from; t < w.to; t++) {
    const onClock = t + zoneOffset(t);
    const next = t + Math.ceil(onClock / step) * step - onClock;
    // The clock may be put forward or back on the way there.
    const put = next - (zoneOffset(next) - zoneOffset(t));
    t = put > t ? put : next;
    if (t < w.to && (t + zoneOffset(t)) % step === 0) out.push({ at: t, label: tickLabel(t, step) });
  }
  return out;
}

function tickLabel(at: number, step: number): string {
  const clock = clockOf(at);
  if (step >= day || clock === "00:00:00") return dayOf(at);
  return step < minute ? clock : clock.slice(0, 5);
}

/** The moment at a place of a plot of a width. */
export const timeAt = (x: number, width: number, w: Span): number => w.from + (Math.min(Math.max(x, 0), width) / Math.max(1, width)) * (w.to - w.from);

/** The window that two moments choose, in either order: whole steps, so that what is chosen is what is seen. */
export function snap(a: number, b: number, w: Span, stepSeconds: number): Span {
  const step = stepSeconds * 1000;
  const from = Math.floor(Math.min(a, b) / step) * step;
  const to = Math.max(from + step, Math.ceil(Math.max(a, b) / step) * step);
  return { from: Math.max(w.from, from), to: Math.min(w.to, to) };
}

const within = (inner: Span, outer: Span): boolean =>
  outer.from <= inner.from && inner.to <= outer.to && outer.to - outer.from > inner.to - inner.from;

/**
 * The way back out of a zoom: the last window of the trail that holds the present one, and what is left of the trail. The
 * address may have changed by other means, so the trail may hold windows that are no way back.
 */
export function wider(trail: readonly Span[], now: Span): { zoom: Span | null; trail: Span[] } {
  const at = trail.findLastIndex((w) => within(now, w));
  return { zoom: trail[at] ?? null, trail: trail.slice(0, Math.max(0, at)) };
}
