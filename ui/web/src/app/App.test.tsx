import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { renderApp } from "../test/app";
import { clock, incident, row, server } from "../test/rows";

const path = { at: "2026-01-02T10:00:00Z", cause: null, nodes: [], links: [], affectedTotal: 0, sentence: "No cause on the estate." };
const entry = { seq: 1, at: "2026-01-02T10:00:00Z", by: "engine", kind: "opened", text: "opened by LinkDown", undoable: false, data: {} };
const alerts = ["a", "b"].map((item) => ({
  fingerprint: item.repeat(16), labels: { alertname: "LinkDown", instance: item }, annotations: { runbook_url: "https://runbooks.example/LinkDown" },
  status: "firing" as const, severity: "critical" as const, item, startsAt: "2026-01-02T10:00:00Z", lastStartsAt: "2026-01-02T10:00:00Z", endsAt: null,
  lastSeenAt: "2026-01-02T10:00:00Z", joinedAt: "2026-01-02T10:00:00Z", count: 1, source: "prom-a", generatorURL: "javascript:alert(1)", acknowledged: null,
  suppressed: null, silencedBy: [], maintenance: null, flapping: false, evidence: [], group: "",
}));

let sent: string[];

beforeEach(() => {
  sent = [];
  vi.stubGlobal("fetch", server({
    "GET /api/v1/incidents/1/path": () => Response.json(path),
    "GET /api/v1/incidents/1/timeline": () => Response.json({ entries: [entry], total: 1, next: null }),
    "GET /api/v1/incidents/1": () => Response.json(incident("1", { alerts, alertCounts: { firing: 2, resolved: 0, expired: 0, suppressed: 0, maintenance: 0, total: 2 } })),
    "GET /api/v1/status": () => Response.json({
      version: "dev", ready: true, listen: "http://127.0.0.1:7420", counts: {}, comparison: {}, estate: { version: null, items: 0, relations: 0 },
      sources: [{ name: "backup-script", kind: "events", doors: ["events"], perMinute: 0, lastAt: "2026-01-02T10:00:00Z", accepted: 0, refused: 1, lastRefused: "line 1, unknown field \"stauts\"" }],
    }),
    "POST /": (body, request) => {
      sent.push(`${new URL(request.url).pathname} ${JSON.stringify(body)}`);
      return Response.json(incident("1", { revision: 2, commandRevision: 1 }));
    },
  }));
});

const press = (key: string, init: KeyboardEventInit = {}) => act(() => void fireEvent.keyDown(document.body, { key, ...init }));
/** The lines under the head; the list draws them when it knows its height. */
async function lines(): Promise<HTMLElement[]> {
  return waitFor(() => {
    const all = screen.getAllByRole("row").slice(1);
    expect(all.length).toBeGreaterThan(0);
    return all;
  });
}

describe("a line of the board", () => {
  it("says every fact in words: severity, priority, state, cause, how many, who", async () => {
    renderApp([row("1", {
      priority: 1, title: "38 items behind Core switch 2 unreachable", itemCount: 38, alertCounts: { firing: 140, resolved: 0, expired: 0, suppressed: 0, maintenance: 0, total: 140 },
      causes: [{ item: "sw-2", change: null, name: "Core switch 2", class: "switch", score: 0.93, reporting: false, recovered: false }],
    })]);
    const words = (await lines())[0]!.textContent;
    for (const w of ["critical", "P1", "INC-000001", "New", "38 items behind Core switch 2 unreachable", "Core switch 2", "not itself reporting", "0.93", "140", "dc-north", "nobody"]) {
      expect(words).toContain(w);
    }
  });

  it("of a resolved incident says so, and who took notice stands beside the owner", async () => {
    const at = new Date().toISOString();
    renderApp([row("1", { state: "resolved", resolvedAt: at, acknowledgedAt: at, acknowledgedBy: "lena", assignee: "lena" })]);
    const [line] = await lines();
    expect(line!.textContent).toMatch(/Resolved \d+s ago/);
    expect(within(line!).getByTitle("Acknowledged by lena")).toBeTruthy();
  });
});

describe("service level targets", () => {
  it("show what is left in the row, with the state as a word; without targets there is no such column", async () => {
    const left = clock(null, { state: "warned", dueAt: new Date(Date.now() + 90 * 60_000).toISOString(), warnedPercent: 75 });
    const { unmount } = renderApp([row("1", { sla: [clock(null, { metric: "response", name: "answer", state: "met", stoppedAt: left.startedAt }), left], slaDueAt: left.dueAt })]);
    expect((await lines())[0]!.textContent).toMatch(/running out1h 29m/);
    expect(screen.getByRole("grid").className).toBe("grid due");
    unmount();
    renderApp([row("1")]);
    await lines();
    expect(screen.getByRole("grid").className).toBe("grid");
  });

  it("are accounted for in the panel, interval by interval", async () => {
    const paused = clock(null, { state: "paused", pausedAt: "2026-01-02T11:00:00Z", elapsedSeconds: 3600 });
    const intervals = [
      { from: "2026-01-02T10:00:00Z", to: "2026-01-02T11:00:00Z", counted: true, reason: "open (office)", elapsedSeconds: 3600 },
      { from: "2026-01-02T11:00:00Z", to: "2026-01-02T12:00:00Z", counted: false, reason: "on hold: awaiting_vendor", elapsedSeconds: 3600 },
    ];
    vi.stubGlobal("fetch", server({
      "GET /api/v1/incidents/1/sla": () => Response.json({ incident: "1", at: "2026-01-02T12:00:00Z", clocks: [{ ...paused, calendar: "office", timeZone: "Europe/Berlin", applies: true, intervals }] }),
      "GET /api/v1/incidents/1/timeline": () => Response.json({ entries: [], total: 0, next: null }),
      "GET /api/v1/incidents/1/path": () => Response.json(path),
      "GET /api/v1/incidents/1": () => Response.json(incident("1", { sla: [paused] })),
    }));
    renderApp([row("1", { sla: [paused] })], "/incidents/INC-000001");
    fireEvent.click(await screen.findByText("What counted"));
    const table = await screen.findByRole("table");
    expect(within(table).getAllByRole("row").map((r) => r.textContent.replace(/^[\d:]{8}[\d:]{8}/, ""))).toEqual([
      "FromToCountedWhyUsed by then", "countedopen (office)1h", "not countedon hold: awaiting_vendor1h",
    ]);
    expect(screen.getByText(/by the calendar office in Europe\/Berlin/)).toBeTruthy();
  });
});

describe("the reasons of a priority", () => {
  it("name what is hurt and how badly, what makes it urgent, and that a person decided otherwise", async () => {
    const hurt = { class: "service", criticality: 1, impact: 1, reporting: false };
    vi.stubGlobal("fetch", server({
      "GET /api/v1/incidents/1/impact": () => Response.json({
        incident: "1",
        impact: { value: 1, at: "2026-01-02T10:00:00Z", estate: "v1", cause: "h-1", more: 2, reasons: [
          { ...hurt, item: "shop", name: "Web shop", state: "down", path: ["h-1", "shop"] },
          { ...hurt, item: "blog", name: "Blog", state: "at_risk", impact: 2, path: [], reporting: true },
        ] },
        urgency: { value: 2, reasons: [
          { kind: "severity", text: "the worst alert that fires is warning", steps: 0 },
          { kind: "trend", text: "growing: 8 alerts fire, 3 did ten minutes before", steps: 1 },
        ] },
        priority: { value: 4, computed: 2, override: 4 },
      }),
      "GET /api/v1/incidents/1/timeline": () => Response.json({ entries: [], total: 0, next: null }),
      "GET /api/v1/incidents/1/path": () => Response.json(path),
      "GET /api/v1/incidents/1": () => Response.json(incident("1", { priority: 4, priorityOverride: 4 })),
    }));
    renderApp([row("1", { priority: 4, priorityOverride: 4 })], "/incidents/INC-000001");
    fireEvent.click(await screen.findByText("Why priority 4"));
    const list = await screen.findByRole("list", { name: "What is hurt" });
    expect(within(list).getAllByRole("listitem").map((l) => l.textContent)).toEqual([
      "downWeb shop service, criticality 1, by h-1impact 1", "redundancy lostBlog service, criticality 1, says so itselfimpact 2",
    ]);
    expect(within(screen.getByRole("list", { name: "What makes it urgent" })).getAllByRole("listitem").map((l) => l.textContent)).toEqual([
      "the worst alert that fires is warning", "growing: 8 alerts fire, 3 did ten minutes beforeone step more",
    ]);
    expect(screen.getByText("and 2 more items")).toBeTruthy();
    expect(screen.getByText(/would give priority 2; a person has set 4/)).toBeTruthy();
  });
});

describe("the keys", () => {
  it("move, choose and command, and the foot line says what was done", async () => {
    renderApp([row("1"), row("2"), row("3")]);
    press("j");
    press("ArrowDown", { shiftKey: true });
    expect((await lines()).map((l) => l.getAttribute("aria-selected"))).toEqual(["true", "true", "false"]);
    expect(screen.getByText("2 selected.")).toBeTruthy();
    press("Escape");
    press("k");
    press("a");
    await waitFor(() => expect(sent).toEqual(['/api/v1/incidents/1/acknowledge {"by":"maria"}']));
    await screen.findByText("INC-000001 acknowledged");
  });

  it("say why a command cannot be given", async () => {
    renderApp([row("1", { acknowledgedAt: "2026-01-02T10:00:00Z" })]);
    press("j");
    press("a");
    await screen.findByText("INC-000001: It is acknowledged already.");
    expect(sent).toEqual([]);
  });

  it("open the command bar, where everything is found by typing", () => {
    renderApp([row("1")]);
    press("j");
    press("k", { ctrlKey: true });
    const field = screen.getByRole("combobox");
    fireEvent.change(field, { target: { value: "resolv" } });
    expect(screen.getAllByRole("option").map((o) => o.textContent)).toEqual(["Resolve …R", "Resolved0"]);
    fireEvent.keyDown(field, { key: "Enter" });
    expect(screen.getByRole("dialog", { name: "Resolve: INC-000001" })).toBeTruthy();
  });
});

describe("the panel", () => {
  it("shows why, the alerts with their links, and the history", async () => {
    renderApp([row("1")], "/incidents/INC-000001");
    await screen.findByText("3 of 3 hosts are down");
    await screen.findByText(/opened by LinkDown/);
    const [link] = screen.getAllByRole("link", { name: "Runbook" });
    expect(link?.getAttribute("href")).toBe("https://runbooks.example/LinkDown");
    expect(screen.queryByRole("link", { name: "Graph" }), "a link that is a script").toBeNull();
  });

  it("splits off the alerts that were chosen, but never all of them", async () => {
    renderApp([row("1", { alertCounts: { firing: 2, resolved: 0, expired: 0, suppressed: 0, maintenance: 0, total: 2 } })], "/incidents/INC-000001");
    const all = await screen.findByRole("checkbox", { name: "Choose all 2 LinkDown" });
    fireEvent.click(all);
    expect(screen.getByRole<HTMLButtonElement>("button", { name: "Split 2" }).disabled).toBe(true);
    fireEvent.click(screen.getByRole("checkbox", { name: "Choose LinkDown a" }));
    fireEvent.click(screen.getByRole("button", { name: "Split 1" }));
    await waitFor(() => expect(sent).toEqual([`/api/v1/incidents/1/split {"alerts":["${"b".repeat(16)}"],"by":"maria"}`]));
  });

  it("keeps an incident that has left the board under the eye", async () => {
    const { store } = renderApp([row("1"), row("2")], "/incidents/INC-000001");
    await screen.findByText("3 of 3 hosts are down");
    store.remove("1");
    await waitFor(() => expect(store.getSnapshot().view.order).toEqual(["2"]));
    expect(screen.getByRole("complementary", { name: "Incident INC-000001" })).toBeTruthy();
  });
});

describe("a board that is not what it seems", () => {
  it("has its shape before its rows, and says why it does not come", async () => {
    const { store, reconnects } = renderApp(null);
    expect(screen.getByRole("columnheader", { name: /Probable cause/ })).toBeTruthy();
    expect(screen.queryByText("No open incident")).toBeNull();
    store.setConnection({ phase: "broken", reason: "The server answered 503, code not_ready.", tryAt: Date.now() + 8_000 });
    await screen.findByText("The board could not be loaded");
    fireEvent.click(screen.getByRole("button", { name: "Try now" }));
    expect(reconnects).toEqual([true]);
  });

  it("takes no command while the server does not answer", async () => {
    const { store } = renderApp([row("1")], "/incidents/INC-000001");
    await screen.findByText("3 of 3 hosts are down");
    store.setConnection({ phase: "broken", tryAt: null });
    await screen.findByText(/Disconnected for/);
    expect(screen.getByRole<HTMLButtonElement>("button", { name: /^Acknowledge A/ }).title).toBe("The server does not answer.");
    press("a");
    await screen.findByText("INC-000001: The server does not answer.");
    expect(sent).toEqual([]);
  });
});

describe("an empty board", () => {
  it("is the page that says how to connect, and what has come so far", async () => {
    renderApp([]);
    expect(screen.getByRole("heading", { level: 1 }).textContent).toBe("Waiting for the first incident");
    expect((await screen.findAllByText("http://127.0.0.1:7420")).length).toBe(1);
    expect(screen.getByText(/webhook_configs/).textContent).toContain("url: http://127.0.0.1:7420/api/v1/ingest/alertmanager");
    expect(screen.getByText('line 1, unknown field "stauts"')).toBeTruthy();
    expect(screen.getByText(/no incident yet/)).toBeTruthy();
  });

  it("sends a test alert, and says why when it could not", async () => {
    vi.stubGlobal("fetch", server({ "POST /api/v1/ingest/test": () => Response.json({ status: 503, code: "pipeline_full", detail: "the pipeline is full" }, { status: 503 }) }));
    renderApp([]);
    fireEvent.click(screen.getByRole("button", { name: "Send a test alert" }));
    await screen.findByText("Not sent. 503: the pipeline is full");
  });
});
