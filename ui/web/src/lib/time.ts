// Times as the board writes them.
import { setting } from "../store/setting";

/** A span in two units at most: 42s, 6m 12s, 2h 04m, 3d 11h. */
export function age(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number) => String(n).padStart(2, "0");
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${two(s % 60)}s`;
  if (s < 86_400) return `${Math.floor(s / 3600)}h ${two(Math.floor((s % 3600) / 60))}m`;
  return `${Math.floor(s / 86_400)}d ${two(Math.floor((s % 86_400) / 3600))}h`;
}

/** A span in its larger unit: 42s, 6m, 2h, 3d. */
export function coarse(ms: number): string {
  return age(ms).split(" ")[0] ?? "";
}

/** The age of data: tenths below ten seconds would only flicker, so whole seconds with a space. */
export function dataAge(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  return s < 60 ? `${s} s` : age(ms);
}

const pad = (n: number) => String(n).padStart(2, "0");

/** In which zone this browser shows times: "utc", or empty for the viewer's own. */
export const shownZone = setting("signalbox.zone");

/** The time with the fields of the shown zone in its UTC getters. */
const shown = (t: Date): Date => (shownZone.get() === "utc" ? t : new Date(t.getTime() - t.getTimezoneOffset() * 60_000));

/** The clock time with seconds in the shown zone. */
export const clock = (time: Date): string => shown(time).toISOString().slice(11, 19);

/** A moment as short as it can be: the clock time today, else with its day. */
export function moment(iso: string, now: Date): string {
  const time = new Date(iso);
  const [t, today] = [shown(time), shown(now)];
  if (t.toISOString().slice(0, 10) === today.toISOString().slice(0, 10)) return clock(time);
  const day = `${t.getUTCDate()} ${t.toLocaleString("en", { month: "short", timeZone: "UTC" })}`;
  return t.getUTCFullYear() === today.getUTCFullYear() ? `${day} ${clock(time).slice(0, 5)}` : `${day} ${t.getUTCFullYear()}`;
}

/** A time in the future without seconds: 05:00, or with its day. */
export function until(iso: string, now: Date): string {
  const text = moment(iso, now);
  return text.length === 8 ? text.slice(0, 5) : text;
}

/** The name of the shown zone at a time. */
export function zone(time: Date): string {
  if (shownZone.get() === "utc") return "UTC";
  const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(time);
  return parts.find((p) => p.type === "timeZoneName")?.value ?? "";
}

/** The value of a datetime-local field for a time: such fields are always in the viewer's own zone. */
export function fieldTime(t: Date): string {
  return `${t.getFullYear()}-${pad(t.getMonth() + 1)}-${pad(t.getDate())}T${pad(t.getHours())}:${pad(t.getMinutes())}`;
}

/** The next time that the clock shows an hour. */
export function nextAt(hour: number, now: Date): Date {
  const t = new Date(now);
  t.setHours(hour, 0, 0, 0);
  if (t <= now) t.setDate(t.getDate() + 1);
  return t;
}
