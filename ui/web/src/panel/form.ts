// What the dialogs of commands collect, and the bodies they make of it.
import type { Action, Command } from "../api/model";

export type DialogAction = Extract<Action, "hold" | "snooze" | "assign" | "priority" | "resolve" | "close" | "cancel" | "merge" | "move">;

/** Everything that can be typed or chosen, as it stands in the fields. */
export interface Values {
  reason: string;
  /** The value of a datetime-local field; empty: none. */
  until: string;
  team: string;
  person: string;
  /** "1" to "5"; empty: the computed one. */
  priority: string;
  code: string;
  notes: string;
  /** The id of the other incident. */
  incident: string;
  alerts: string[];
  comment: string;
}

export const noValues: Values = {
  reason: "", until: "", team: "", person: "", priority: "", code: "", notes: "", incident: "", alerts: [], comment: "",
};

/** The body of a command, or what is still missing for it. */
export type Filled = { body: Command } | { missing: string };

const optional = <K extends string>(name: K, value: string): Partial<Record<K, string>> =>
  (value.trim() === "" ? {} : { [name]: value.trim() }) as Partial<Record<K, string>>;

const orNull = (value: string): string | null => (value.trim() === "" ? null : value.trim());

export function fill(action: DialogAction, v: Values, now: Date): Filled {
  const comment = optional("comment", v.comment);
  const until = v.until === "" ? null : new Date(v.until);
  if (until !== null && (Number.isNaN(until.getTime()) || until <= now)) return { missing: "The time must be in the future." };
  switch (action) {
    case "hold":
      if (v.reason.trim() === "") return { missing: "Say what it waits for." };
      return { body: { reason: v.reason.trim(), ...(until === null ? {} : { until: until.toISOString() }), ...comment } };
    case "snooze":
      return until === null ? { missing: "Say until when." } : { body: { until: until.toISOString(), ...comment } };
    case "assign":
      return { body: { team: orNull(v.team), person: orNull(v.person), ...comment } };
    case "priority":
      return { body: { priority: v.priority === "" ? null : Number(v.priority), ...optional("reason", v.reason), ...comment } };
    case "resolve":
      return { body: { ...optional("code", v.code), ...optional("notes", v.notes), ...comment } };
    case "merge":
      return v.incident === "" ? { missing: "Choose an incident." } : { body: { into: v.incident, ...comment } };
    case "move":
      if (v.alerts.length === 0) return { missing: "No alert is chosen." };
      return v.incident === "" ? { missing: "Choose an incident." } : { body: { to: v.incident, alerts: v.alerts, ...comment } };
    case "close":
    case "cancel":
      return { body: comment };
  }
}
