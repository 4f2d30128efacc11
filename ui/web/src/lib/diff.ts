// What differs between the incident that a person saw and the one that another command left.
import type { Row } from "../api/model";
import { owner, stateWords } from "./words";

/** Says every difference that a command can make, in words. */
export function describeChanges(before: Row, after: Row): string[] {
  const out: string[] = [];
  if (before.state !== after.state) out.push(`state ${stateWords[before.state]} → ${stateWords[after.state]}`);
  if (before.acknowledgedBy !== after.acknowledgedBy) {
    out.push(after.acknowledgedBy === null ? "no longer acknowledged" : `acknowledged by ${after.acknowledgedBy}`);
  }
  if (before.assignee !== after.assignee || before.team !== after.team) out.push(`owner ${owner(before)} → ${owner(after)}`);
  if (before.priority !== after.priority) out.push(`priority P${before.priority} → P${after.priority}`);
  else if (before.priorityOverride !== after.priorityOverride) out.push("its priority was set or given back");
  if (before.onHoldReason !== after.onHoldReason && after.onHoldReason !== null) out.push(`on hold: ${after.onHoldReason}`);
  if (before.snoozedUntil !== after.snoozedUntil) out.push(after.snoozedUntil === null ? "no longer snoozed" : "snoozed");
  if (before.mergedInto !== after.mergedInto) {
    out.push(after.mergedInto === null ? "no longer merged" : "merged into another incident");
  }
  if (before.alertCounts.total !== after.alertCounts.total) {
    out.push(`alerts ${before.alertCounts.total} → ${after.alertCounts.total}`);
  }
  const [was, is] = [before.causes[0]?.name, after.causes[0]?.name];
  if (was !== is) out.push(`cause ${was ?? "none"} → ${is ?? "none"}`);
  return out;
}
