// The API of the past. Every call may throw a Problem, or a TypeError when nothing answers.
import { get, Problem, url } from "../api/client";
import type { AlertEvent, AlertEventPage, AlertVolume, ChangeEvent, ChangePage, Entry, IncidentHistoryPage, Row } from "../api/model";
import type { Tab } from "./address";
import { iso, type Span } from "./range";

const base = "/api/v1/history";
const pageSize = 200;
/** The most that the API gives at once. */
export const most = 1000;

export interface Page<T> {
  rows: T[];
  next: string | null;
}

/** One question about the past. */
export interface Question {
  q: string;
  span: Span;
}

const params = ({ q, span }: Question) => ({ q, from: iso(span.from), to: iso(span.to) });

export async function getEvents(question: Question, cursor: string | null, signal: AbortSignal): Promise<Page<AlertEvent>> {
  const page = await get<AlertEventPage>(`${base}/alerts`, { ...params(question), limit: pageSize, cursor }, signal);
  return { rows: page.events, next: page.next };
}

export async function getIncidents(question: Question, cursor: string | null, signal: AbortSignal): Promise<Page<Row>> {
  const page = await get<IncidentHistoryPage>(`${base}/incidents`, { ...params(question), limit: pageSize, cursor }, signal);
  return { rows: page.incidents, next: page.next };
}

export async function getChanges(question: Question, cursor: string | null, signal: AbortSignal): Promise<Page<ChangeEvent>> {
  const page = await get<ChangePage>(`${base}/changes`, { ...params(question), limit: pageSize, cursor }, signal);
  return { rows: page.changes, next: page.next };
}

/** About so many steps fill the chart with bars that can still be pointed at. */
const buckets = 120;

export const getVolume = (question: Question, signal: AbortSignal): Promise<AlertVolume> =>
  get<AlertVolume>(`${base}/alerts/volume`, { ...params(question), buckets }, signal);

const incidentPath = (id: string) => `${base}/incidents/${encodeURIComponent(id)}`;

/** The revisions of an incident, newest first. */
export async function getRevisions(id: string, limit: number, signal: AbortSignal): Promise<Row[]> {
  return (await get<{ revisions: Row[] }>(incidentPath(id), { limit }, signal)).revisions;
}

/** What happened to an incident, newest first. */
export async function getPastTimeline(id: string, signal: AbortSignal): Promise<Entry[]> {
  return (await get<{ entries: Entry[] }>(`${incidentPath(id)}/timeline`, { limit: most }, signal)).entries;
}

/** Where the rows of a tab can be had as a file. */
export const exportAddress = (tab: Tab, question: Question, format: "csv" | "jsonl"): string => url(`${base}/${tab}`, { ...params(question), format });

/** What names an alert event; two may have all but the last in common. */
export const eventKey = (e: AlertEvent): string => [e.at, e.fingerprint, e.incident, e.status, e.count].join("/");

export const changeKey = (e: ChangeEvent): string => [e.at, e.change.id, e.change.status ?? ""].join("/");

/** The millisecond of a time that is told to the nanosecond. */
const instant = (at: string): Span => ({ from: Date.parse(at), to: Date.parse(at) + 1 });

/** The event of a key, for those who come by a link. */
export async function getEvent(key: string, signal: AbortSignal): Promise<AlertEvent> {
  const [at = "", fingerprint = ""] = key.split("/");
  const page = await getEvents({ q: `fingerprint="${fingerprint}"`, span: instant(at) }, null, signal);
  return found(page.rows.find((e) => eventKey(e) === key));
}

export async function getChange(key: string, signal: AbortSignal): Promise<ChangeEvent> {
  const [at = ""] = key.split("/");
  const page = await getChanges({ q: "", span: instant(at) }, null, signal);
  return found(page.rows.find((e) => changeKey(e) === key));
}

function found<T>(row: T | undefined): T {
  if (row === undefined) throw new Problem(404, { code: "not_found", detail: "history does not know it, or no longer" });
  return row;
}

/** Whether no history is kept at all. */
export const isMissing = (error: unknown): boolean => error instanceof Problem && error.code === "no_history";

/** Whether the question itself is the mistake. */
export const isMistake = (error: unknown): boolean => error instanceof Problem && error.status === 400;
