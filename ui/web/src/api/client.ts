// The HTTP side of the API. Every call may throw a Problem, or a TypeError when nothing answers.
import type {
  Action, AlertPage, Board, Candidate, CandidatePage, Command, Decision, Conflict, ClockAccounts, PriorityExplained, CurrentAlertPage, Incident, IncidentPage, LastPayload, Path, Pending, ProblemBody, Row, SourceRow, Status,
  Pattern, PostableSilence, Silence, TestAlert, Timeline,
} from "./model";

/** What the server answered instead of a result. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  /** The row as it is now, when another command came first. */
  readonly current: Row | undefined;

  constructor(status: number, body: Partial<ProblemBody & Conflict>) {
    const faults = (body.faults ?? []).map((f) => `${f.field} ${f.reason}`).join("; ");
    const detail = [body.detail ?? body.title ?? `the server answered ${status}`, faults].filter(Boolean).join(": ");
    super(detail);
    this.name = "Problem";
    this.status = status;
    this.code = body.code ?? "";
    this.detail = detail;
    this.current = body.incident;
  }
}

/** One sentence about an error, for people. */
export function sentence(error: unknown): string {
  if (error instanceof Problem) return `${error.status}: ${error.detail}`;
  if (error instanceof TypeError) return "The server does not answer.";
  return error instanceof Error ? error.message : String(error);
}

async function answer<T>(response: Response): Promise<T> {
  if (response.ok) return (await response.json()) as T;
  throw await problem(response);
}

async function problem(response: Response): Promise<Problem> {
  let body: Partial<ProblemBody & Conflict> | string = {};
  try {
    body = (await response.json()) as typeof body;
  } catch {
    // A proxy in between answers with something else; the status says enough.
  }
  // Where the API is Alertmanager's, it answers with a text.
  return new Problem(response.status, typeof body === "string" ? { detail: body } : body);
}

export type Params = Record<string, string | number | null | undefined>;

/** Builds a path with a query of those parameters that have a value. */
export function url(path: string, params: Params = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

/** Reads something; the answer is taken at its word. */
export async function get<T>(path: string, params?: Params, signal?: AbortSignal): Promise<T> {
  return answer<T>(await fetch(url(path, params), { headers: { Accept: "application/json" }, signal: signal ?? null }));
}

const incidentPath = (id: string, tail = "") => `/api/v1/incidents/${encodeURIComponent(id)}${tail}`;

export const getBoard = (signal?: AbortSignal) => get<Board>("/api/v1/board", {}, signal);
export const getStatus = (signal?: AbortSignal) => get<Status>("/api/v1/status", {}, signal);
export const getIncident = (id: string, signal?: AbortSignal) => get<Incident>(incidentPath(id), {}, signal);
export const getPath = (id: string, signal?: AbortSignal) => get<Path>(incidentPath(id, "/path"), {}, signal);
export const getClocks = (id: string, signal?: AbortSignal) => get<ClockAccounts>(incidentPath(id, "/sla"), {}, signal);
export const getImpact = (id: string, signal?: AbortSignal) => get<PriorityExplained>(incidentPath(id, "/impact"), {}, signal);
export const getTimeline = (id: string, params: Params, signal?: AbortSignal) =>
  get<Timeline>(incidentPath(id, "/timeline"), params, signal);
export const getIncidentAlerts = (id: string, params: Params, signal?: AbortSignal) =>
  get<AlertPage>(incidentPath(id, "/alerts"), params, signal);
export const getAlerts = (params: Params, signal?: AbortSignal) => get<CurrentAlertPage>("/api/v1/alerts", params, signal);

export const getSources = (signal?: AbortSignal) => get<{ sources: SourceRow[] }>("/api/v1/sources", {}, signal);
export const getLastPayload = (source: string, signal?: AbortSignal) => get<LastPayload>(`/api/v1/sources/${encodeURIComponent(source)}/last`, {}, signal);

export const getSilences = (signal?: AbortSignal) => get<{ silences: Silence[] }>("/api/v1/silences", {}, signal);

export const getPatterns = (signal?: AbortSignal) => get<{ version: string; scope: string; patterns: Pattern[] }>("/api/v1/patterns", {}, signal);

/** Adopts every pattern that is proposed. */
export async function adoptPatterns(): Promise<void> {
  await answer<{ version: string }>(await fetch("/api/v1/patterns/adopt", { method: "POST" }));
}

/** Switches an adopted pattern on or off. */
export async function switchPattern(cause: string, effect: string, on: boolean): Promise<void> {
  await answer<{ version: string }>(await fetch("/api/v1/patterns/switch", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ cause, effect, on }),
  }));
}

/** All candidates for problems, the dearest first; a shard keeps at most a thousand. */
export const getProblems = (signal?: AbortSignal) => get<CandidatePage>("/api/v1/problems", { limit: 1000 }, signal);

/** Decides on a candidate. The decision shows in the list when the engine has taken it. */
export async function decideProblem(id: string, action: string, body: Decision): Promise<void> {
  await answer<Candidate | Pending>(await fetch(`/api/v1/problems/${encodeURIComponent(id)}/${action}`, {
    method: "POST", headers: { "Content-Type": "application/json", "Idempotency-Key": newKey() }, body: JSON.stringify(body),
  }));
}

/** Makes a silence, or changes the one of its id; answers with the id of the one that is in force. */
export async function postSilence(silence: PostableSilence): Promise<string> {
  const response = await fetch("/api/v2/silences", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(silence),
  });
  return (await answer<{ silenceID: string }>(response)).silenceID;
}

export async function expireSilence(id: string): Promise<void> {
  const response = await fetch(`/api/v2/silence/${encodeURIComponent(id)}`, { method: "DELETE" });
  if (!response.ok) throw await problem(response);
}

/** Sends the test alert of the connect page. */
export async function sendTestAlert(): Promise<TestAlert> {
  return answer<TestAlert>(await fetch("/api/v1/ingest/test", { method: "POST" }));
}

/** The ids of the incidents that a query matches, of all pages. */
export async function matchingIncidents(q: string, signal?: AbortSignal): Promise<Set<string>> {
  const ids = new Set<string>();
  let cursor: string | null = null;
  do {
    const page: IncidentPage = await get<IncidentPage>("/api/v1/incidents", { q, limit: 1000, cursor }, signal);
    for (const row of page.incidents) ids.add(row.id);
    cursor = page.next;
  } while (cursor !== null);
  return ids;
}

export type CommandAnswer = { done: true; incident: Incident } | { done: false; pending: Pending };

/** A key that no other command has. crypto.randomUUID is missing on plain HTTP. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

export interface CommandRequest {
  id: string;
  action: Action;
  body: Command;
  /** The commandRevision that the person saw. */
  revision: number;
  key: string;
}

/** Sends a command. When nothing answers it is sent once more with the same key, which cannot do it twice. */
export async function sendCommand(c: CommandRequest, again = true): Promise<CommandAnswer> {
  let response: Response;
  try {
    response = await fetch(incidentPath(c.id, `/${c.action}`), {
      method: "POST",
      headers: { "Content-Type": "application/json", "If-Match": `"${c.revision}"`, "Idempotency-Key": c.key },
      body: JSON.stringify(c.body),
    });
  } catch (error) {
    if (again) return sendCommand(c, false);
    throw error;
  }
  if (response.status === 202) return { done: false, pending: await answer<Pending>(response) };
  return { done: true, incident: await answer<Incident>(response) };
}
