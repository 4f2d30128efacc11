// Rows and boards for tests, complete as the server sends them.
import type { Board, Clock, Incident, Row } from "../api/model";

export const start = Date.parse("2026-01-02T10:00:00Z");

export function row(id: string, part: Partial<Row> = {}): Row {
  const at = new Date(start).toISOString();
  return {
    id, number: `INC-${id.padStart(6, "0")}`, revision: 1, commandRevision: 0, state: "new", title: `Title of ${id}`, severity: "critical",
    impact: 2, urgency: 2, priority: 3, priorityOverride: null, category: "network", site: "dc-north", services: [], team: null, assignee: null,
    startedAt: at, openedAt: at, updatedAt: at, acknowledgedAt: null, acknowledgedBy: null, onHoldReason: null, holdUntil: null,
    snoozedUntil: null, resolvedAt: null, resolutionCode: null, resolutionNotes: null, closedAt: null, reopenCount: 0, flapping: false,
    fleeting: false, maintenance: null, mergedInto: null, links: [], externalRefs: [], items: ["sw-1"], itemCount: 1, sla: [], slaDueAt: null,
    alertCounts: { firing: 1, resolved: 0, expired: 0, suppressed: 0, maintenance: 0, total: 1 },
    causes: [{ item: "sw-1", change: null, name: "Core switch 1", class: "switch", score: 0.93, reporting: true, recovered: false }],
    ...part,
  };
}

/** A clock that is due so many minutes after the start of the tests. */
export function clock(minutes: number | null, part: Partial<Clock> = {}): Clock {
  return {
    name: "fix", metric: "resolution", state: "running", targetSeconds: 14_400, startedAt: new Date(start).toISOString(), pausedAt: null, stoppedAt: null,
    dueAt: minutes === null ? null : new Date(start + minutes * 60_000).toISOString(), elapsedSeconds: null, warnedPercent: 0, ...part,
  };
}

export function incident(id: string, part: Partial<Incident> = {}): Incident {
  const causes = row(id).causes.map((c) => ({ ...c, evidence: [{ kind: "coverage" as const, text: "3 of 3 hosts are down", weight: 1 }] }));
  return { ...row(id), causes, alerts: [], alertsNext: null, ...part };
}

export function board(incidents: Row[], offset = 0): Board {
  return {
    position: { epoch: "e1", offset }, incidents, comparison: { windowSeconds: 900, alerts: 0, groups: 0, incidents: 0 },
    counts: { suppressed: 0, unbound: 0, refused: 0, alertsFiring: 0, sources: { known: 0, heard: 0, silent: [] } },
  };
}

/** Answers of a server: the first whose method and path begin the request. Everything else is 404. */
export function server(answers: Record<string, (body: unknown, request: Request) => Response | Promise<Response>>): typeof fetch {
  return async (input, init) => {
    const request = new Request(new URL(input instanceof Request ? input.url : String(input), "http://board.test"), { ...init, signal: null });
    const asked = `${request.method} ${new URL(request.url).pathname}`;
    const found = Object.entries(answers).find(([name]) => asked.startsWith(name));
    if (found === undefined) return Response.json({ status: 404, code: "not_found", detail: `nothing at ${asked}` }, { status: 404 });
    const text = await request.clone().text();
    return found[1](text === "" ? undefined : JSON.parse(text), request);
  };
}
