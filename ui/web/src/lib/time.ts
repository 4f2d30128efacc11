// Times as the board writes them.

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

/** The clock time with seconds in the viewer's zone. */
export function clock(time: Date): string {
  return `${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}`;
}

/** A moment as short as it can be: the clock time today, else with its day. */
export function moment(iso: string, now: Date): string {
  const t = new Date(iso);
  if (t.toDateString() === now.toDateString()) return clock(t);
  const day = `${t.getDate()} ${t.toLocaleString("en", { month: "short" })}`;
  return t.getFullYear() === now.getFullYear() ? `${day} ${clock(t).slice(0, 5)}` : `${day} ${t.getFullYear()}`;
}

/** A time in the future without seconds: 05:00, or with its day. */
export function until(iso: string, now: Date): string {
  const text = moment(iso, now);
  return text.length === 8 ? text.slice(0, 5) : text;
}

/** The name of the viewer's zone at a time. */
export function zone(time: Date): string {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(time);
  return parts.find((p) => p.type === "timeZoneName")?.value ?? "";
}

/** The value of a datetime-local field for a time. */
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
