// What differs between two revisions of an incident, field by field, in the words of the board.
import type { Row } from "../api/model";
import { clocksOf, clockWords } from "../lib/due";
import { bestCause, owner, plural, stateWords } from "../lib/words";
import { stamp } from "./range";

export interface Difference {
  field: string;
  before: string;
  after: string;
}

// A missing value.
const none = "–";

type Reader = (r: Row, now: number) => string | number | boolean | null;

const time = (of: (r: Row) => string | null): Reader => (r, now) => {
  const at = of(r);
  return at === null ? null : stamp(Date.parse(at), now);
};

const cause = (r: Row): string | null => {
  const best = bestCause(r);
  return best === undefined ? null : `${best.name}${best.reporting ? "" : ", not itself reporting"}`;
};

// So many others say enough.
const mostOthers = 3;

const others = (r: Row): string => (bestCause(r) === undefined ? r.causes : r.causes.slice(1)).slice(0, mostOthers).map((c) => `${c.name} ${c.score.toFixed(2)}`).join(", ");

/** The fields in the order in which people ask for them. */
const fields: [string, Reader][] = [
  ["State", (r) => stateWords[r.state]],
  ["Priority", (r) => `P${r.priority}${r.priorityOverride === null ? "" : ", set by a person"}`],
  ["Severity", (r) => r.severity],
  ["Impact", (r) => r.impact],
  ["Urgency", (r) => r.urgency],
  ["Cause", cause],
  ["Score", (r) => bestCause(r)?.score.toFixed(2) ?? null],
  ["Alerts", (r) => r.alertCounts.total],
  ["Firing", (r) => r.alertCounts.firing],
  ["Suppressed", (r) => r.alertCounts.suppressed],
  ["Items", (r) => r.itemCount],
  ["Owner", (r) => owner(r)],
  ["Targets", (r) => clocksOf(r).map((c) => `${c.name}: ${clockWords[c.state]}`).join(", ")],
  ["Due", time((r) => r.slaDueAt ?? null)],
  ["Acknowledged", (r) => r.acknowledgedBy],
  ["On hold", (r) => r.onHoldReason],
  ["Hold until", time((r) => r.holdUntil)],
  ["Snoozed until", time((r) => r.snoozedUntil)],
  ["Resolved", time((r) => r.resolvedAt)],
  ["Resolution", (r) => (r.resolutionCode === null ? null : [r.resolutionCode, r.resolutionNotes].filter(Boolean).join(": "))],
  ["Closed", time((r) => r.closedAt)],
  ["Reopened", (r) => r.reopenCount],
  ["Flapping", (r) => (r.flapping ? "yes" : "no")],
  ["Fleeting", (r) => (r.fleeting ? "yes" : "no")],
  ["Maintenance", (r) => r.maintenance?.change ?? null],
  ["Merged into", (r) => r.mergedInto],
  ["Category", (r) => r.category],
  ["Site", (r) => r.site],
  ["Started", time((r) => r.startedAt)],
  ["Title", (r) => r.title],
  ["Other causes", others],
  ["Links", (r) => r.links.map((l) => `${l.type.replaceAll("_", " ")} ${l.to}`).join(", ")],
];

/** The sets: what left stands before, what came stands after. */
const sets: [string, (r: Row) => readonly string[]][] = [["Services", (r) => r.services], ["Item names", (r) => (r.itemCount === r.items.length ? r.items : [])]];

const text = (value: string | number | boolean | null): string => (value === null || value === "" ? none : String(value));

// So many names say enough.
const mostNames = 12;

function names(all: readonly string[]): string {
  if (all.length === 0) return none;
  const left = all.length - mostNames;
  return left > 0 ? `${all.slice(0, mostNames).join(", ")} and ${left} more` : all.join(", ");
}

/** Every difference that people can read, in a fixed order; `now` tells which year need not be said. */
export function differences(before: Row, after: Row, now: number): Difference[] {
  const out = fields.flatMap(([field, read]) => {
    const [a, b] = [text(read(before, now)), text(read(after, now))];
    return a === b ? [] : [{ field, before: a, after: b }];
  });
  for (const [field, read] of sets) {
    const [a, b] = [read(before), read(after)];
    // A list that is cut or missing on one side cannot be compared.
    if (field === "Item names" && (a.length === 0 || b.length === 0)) continue;
    const [left, came] = [a.filter((x) => !b.includes(x)), b.filter((x) => !a.includes(x))];
    if (left.length + came.length > 0) out.push({ field, before: names(left), after: names(came) });
  }
  return out;
}

// In one line these only repeat what other fields say.
const repeats = ["Title", "Item names", "Score", "Firing", "Other causes"];

/** The change of a revision in one line; the first one has no revision before it. */
export function summary(before: Row | undefined, after: Row, now: number): string {
  if (before === undefined) return `${after.title}, ${plural(after.alertCounts.total, "alert")}`;
  const all = differences(before, after, now);
  const telling = all.filter((d) => !repeats.includes(d.field));
  if (all.length === 0) return "nothing that people see";
  return (telling.length === 0 ? all : telling).map((d) => `${d.field.toLowerCase()} ${d.before} → ${d.after}`).join(", ");
}
