// The words of the data as people read them.
import type { Action, Alert, Row, State } from "../api/model";
import { moment } from "./time";

export const stateWords: Record<State, string> = {
  new: "New", in_progress: "In progress", on_hold: "On hold", resolved: "Resolved", closed: "Closed", cancelled: "Cancelled",
};

/** What the foot line says after a command. */
export const doneWords: Record<Action, string> = {
  acknowledge: "acknowledged", unacknowledge: "no longer acknowledged", start: "started", resume: "resumed", reopen: "reopened",
  close: "closed", cancel: "cancelled", assign: "assigned", comment: "commented", priority: "given a priority", hold: "put on hold",
  snooze: "snoozed", resolve: "resolved", merge: "merged", split: "split", move: "moved alerts", confirm_cause: "cause confirmed",
  reject_cause: "cause rejected", undo: "taken back",
};

/** A reason as people read it: "awaiting_vendor" is "Awaiting vendor". */
export function spoken(reason: string): string {
  const text = reason.replaceAll("_", " ").trim();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A number with a thin group mark: 412,000. */
export const figure = (n: number): string => n.toLocaleString("en-US");

/** One thing, many things. */
export const plural = (n: number, one: string, many = `${one}s`): string => `${figure(n)} ${n === 1 ? one : many}`;

/** Who has an incident; the person goes before the team. */
export const owner = (row: Pick<Row, "assignee" | "team">): string => row.assignee ?? row.team ?? "nobody";

/** What a maintenance in force means, as a sentence. */
export function windowTitle(w: NonNullable<Row["maintenance"]>, at: Date): string {
  const end = w.endsAt === null ? "" : `, until ${moment(w.endsAt, at)}`;
  return `Under maintenance ${[w.change, w.title].filter(Boolean).join(": ")}${end}. What fires is recorded and counted; nobody is told.`;
}

/** The word for an alert at which nobody is to look now. */
export const suppressedWord = (a: Pick<Alert, "maintenance" | "silencedBy">): string =>
  a.maintenance != null && a.silencedBy.length === 0 ? "maintenance" : "suppressed";

/** A cause this weak is not shown as one. */
export const leastScore = 0.2;

export const bestCause = <T extends { causes: { score: number }[] }>(row: T): T["causes"][number] | undefined => {
  const first = row.causes[0];
  return first !== undefined && first.score > leastScore ? first : undefined;
};

const open: State[] = ["new", "in_progress", "on_hold"];
const live: State[] = [...open, "resolved"];
const always: State[] = [...live, "closed", "cancelled"];

/** From which states an action leads somewhere: the state machine of the engine, to disable what it would refuse. */
const from: Record<Action, State[]> = {
  acknowledge: live, unacknowledge: live, start: ["new", "on_hold"], hold: open, resume: ["on_hold"], resolve: open,
  reopen: ["resolved", "closed", "cancelled"], close: ["resolved"], cancel: open, assign: live, comment: always, priority: live,
  snooze: open, merge: live, split: live, move: live, confirm_cause: live, reject_cause: live, undo: always,
};

/** Why an action cannot be done now; null: it can. */
export function refusal(action: Action, row: Pick<Row, "state" | "mergedInto" | "acknowledgedAt">): string | null {
  if (row.mergedInto !== null && action !== "undo" && action !== "comment") return "It is merged into another incident.";
  if (!from[action].includes(row.state)) return `Not possible while the incident is ${stateWords[row.state].toLowerCase()}.`;
  if (action === "acknowledge" && row.acknowledgedAt !== null) return "It is acknowledged already.";
  if (action === "unacknowledge" && row.acknowledgedAt === null) return "It is not acknowledged.";
  return null;
}
