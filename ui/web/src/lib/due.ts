// Clocks of service level targets as people read them. The server says when one is due; what is left is counted here.
import type { Clock, Row } from "../api/model";
import { age, coarse } from "./time";

/** The clocks of a row; one that an older version has published has none. */
export const clocksOf = (row: Partial<Pick<Row, "sla">>): readonly Clock[] => row.sla ?? [];

const live = (c: Clock): boolean => c.stoppedAt === null && c.pausedAt === null && c.dueAt !== null;

/** The clock that matters most: what is due first, else what is paused, else a breach, else what was met. */
export function nextClock(row: Partial<Pick<Row, "sla">>): Clock | undefined {
  const clocks = clocksOf(row);
  const due = clocks.filter(live).sort((a, b) => Date.parse(a.dueAt ?? "") - Date.parse(b.dueAt ?? ""))[0];
  return due ?? clocks.find((c) => c.state === "paused") ?? clocks.find((c) => c.state === "breached") ?? clocks.find((c) => c.state === "met");
}

/** A clock in a few characters: the time left, how late it is, or where it stands. */
export function leftOf(c: Clock, now: number): string {
  if (live(c)) {
    const left = Date.parse(c.dueAt ?? "") - now;
    return left >= 0 ? age(left) : `${coarse(-left)} late`;
  }
  return c.state;
}

/** When the next clock of a row is due, in ms; infinity: none runs. */
export const dueAt = (row: Pick<Row, "slaDueAt">): number => Date.parse(row.slaDueAt ?? "") || Infinity;

/** A length of time that a target allows or that has passed: 4h, 1h 30m, 45m. */
export function span(seconds: number): string {
  const units: [number, string][] = [[86_400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
  const out: string[] = [];
  let rest = seconds;
  for (const [size, unit] of units) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n > 0) out.push(`${n}${unit}`);
  }
  return out.slice(0, 2).join(" ") || "0s";
}

/** What the clock shows beside the numbers, for the eye and as a word for ears. */
export const clockWords: Record<Clock["state"], string> = {
  running: "running", paused: "paused", warned: "running out", met: "met", breached: "breached", cancelled: "cancelled",
};
