// What the states and rules of a candidate for a problem are called.
import type { Candidate, Decision } from "../api/model";
import { figure, plural } from "../lib/words";

export const stateWords: Record<Candidate["state"], string> = {
  emerging: "Emerging", proposed: "Proposed", accepted: "Accepted", dismissed: "Dismissed", suppressed: "Suppressed", stale: "Stale",
};

export const ruleWords: Record<Candidate["evidence"][number]["rule"], string> = {
  recurrence: "Comes again", fast_cluster: "Fast cluster", flapping: "Comes and goes", reopened: "Opened again", workaround: "After a workaround",
  change: "Change", co_occurrence: "Fail together",
};

/** The tabs of the page, each with the states it shows. */
export const tabs: readonly [tab: string, name: string, states: readonly Candidate["state"][]][] = [
  ["", "To decide", ["proposed"]], ["accepted", "Accepted", ["accepted"]], ["emerging", "Emerging", ["emerging"]],
  ["dismissed", "Dismissed or suppressed", ["dismissed", "suppressed"]], ["stale", "Stale", ["stale"]],
];

export type Verb = "accept" | "dismiss" | "suppress" | "fixed" | "reopen";

export const doneWords: Record<Verb, string> = {
  accept: "Accepted", dismiss: "Dismissed", suppress: "Suppressed", fixed: "Noted as fixed", reopen: "Decision taken back:",
};

/** Whether a decision can be taken on a candidate as it stands. */
export const possible = (verb: Verb, c: Candidate): boolean => (verb === "reopen" ? c.decidedAt !== null : verb === "accept" ? c.state !== "accepted" : true);

/** Service-minutes, which is what an incident costs for as long as it lasts. */
export const costWords = (cost: number): string => `${figure(Math.round(cost))} service min`;

export function effectSentence(e: NonNullable<Candidate["effect"]>): string {
  const verdict = { fell: "The rate fell.", not_fallen: "The rate did not fall.", too_early: "Too early to say." }[e.verdict];
  return `${verdict} Before the fix ${plural(e.before, "incident")} in ${days(e.beforeDays)} after the first one, since then ${figure(e.after)} in ${days(e.afterDays)}; `
    + `if nothing had changed, so few would come about with a chance of ${e.p < 0.001 ? "less than 0.001" : String(e.p)}.`;
}

const days = (n: number): string => plural(Math.round(n * 10) / 10, "day");

/** Incidents of each of the last 30 days (UTC), oldest first. */
export function lastDays(list: Candidate["days"], now: number): number[] {
  const count = new Map(list.map((d) => [d.day, d.incidents]));
  return Array.from({ length: 30 }, (_, i) => count.get(new Date(now - (29 - i) * 86_400_000).toISOString().slice(0, 10)) ?? 0);
}

export type Body = Decision;
