import { act, configure, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AlertEvent, AlertVolume, ChangeEvent, Row } from "../api/model";
import { ServicesContext } from "../app/context";
import { shownZone } from "../lib/time";
import { BoardStore } from "../store/board";
import { Commands } from "../store/commands";
import { setting } from "../store/setting";
import { board, row, server } from "../test/rows";
import { HistoryPage } from "./HistoryPage";

// A machine that is busy only makes a failure late.
configure({ asyncUtilTimeout: 10_000 });
vi.setConfig({ testTimeout: 30_000 });

const now = Date.parse("2026-11-25T08:00:00Z");

function event(n: number, part: Partial<AlertEvent> = {}): AlertEvent {
  return {
    at: `2026-11-25T07:${String(59 - n % 60).padStart(2, "0")}:00.123456789Z`, fingerprint: n.toString(16).padStart(16, "0"), incident: "gone", status: "firing", severity: "critical",
    item: `host-${n}`, labels: { alertname: "HostDown", instance: `host-${n}`, status: "broken" }, annotations: { summary: `host-${n} does not answer` },
    startsAt: "2026-11-25T07:30:00Z", endsAt: null, count: 1, source: "prom-a", generatorURL: "javascript:alert(1)", ...part,
  };
}

const volume: AlertVolume = {
  from: "2026-11-25T07:00:00Z", to: "2026-11-25T08:00:00Z", stepSeconds: 900,
  buckets: [{ at: "2026-11-25T07:15:00Z", counts: { critical: 60, warning: 80 } }, { at: "2026-11-25T07:45:00Z", counts: { minor: 1 } }],
};
const closed: Row[] = [
  row("7", { id: "gone", number: "INC-000007", revision: 2, state: "closed", openedAt: "2026-11-25T07:30:00Z", closedAt: "2026-11-25T07:50:00Z", title: "Core switch 2 unreachable" }),
  row("7", { id: "gone", number: "INC-000007", revision: 1, openedAt: "2026-11-25T07:30:00Z", title: "Core switch 2 unreachable" }),
];
const change: ChangeEvent = { at: "2026-11-25T07:40:00Z", change: { id: "deploy-77", kind: "deploy", title: "checkout 4.12.0", items: ["checkout", "cart"], status: "rolled_back", url: "javascript:alert(1)" } };

let asked: URL[];
let answers: Parameters<typeof server>[0];

const page = (name: string, rows: readonly unknown[], next: string | null = null) => () => Response.json({ [name]: rows, next });
const problem = (status: number, code: string, detail: string) => () => Response.json({ status, code, detail }, { status });

beforeEach(() => {
  shownZone.set("utc");
  vi.spyOn(Date, "now").mockReturnValue(now);
  HTMLElement.prototype.setPointerCapture = () => undefined;
  asked = [];
  answers = {
    "GET /api/v1/history/alerts/volume": () => Response.json(volume),
    "GET /api/v1/history/alerts": page("events", [event(1), event(2)]),
    "GET /api/v1/history/incidents/gone/timeline": () => Response.json({ entries: [{ seq: 1, at: "2026-11-25T07:30:00Z", by: "engine", kind: "opened", text: "opened by HostDown", undoable: false, data: {} }] }),
    "GET /api/v1/history/incidents/gone": () => Response.json({ revisions: closed }),
    "GET /api/v1/history/incidents": page("incidents", closed.slice(0, 1)),
    "GET /api/v1/history/changes": page("changes", [change]),
  };
  vi.stubGlobal("fetch", (input: string, init?: RequestInit) => {
    asked.push(new URL(input, "http://board.test"));
    return server(answers)(input, init);
  });
});

afterEach(() => shownZone.set(""));

function show(address = "/history?range=1h") {
  history.replaceState(null, "", address);
  const store = new BoardStore(() => () => undefined);
  store.load(board([]));
  store.flush();
  const person = setting("signalbox.test.person");
  render(<ServicesContext value={{ store, commands: new Commands(store, person.get), person, reconnect: () => undefined }}><HistoryPage /></ServicesContext>);
}

const address = () => new URLSearchParams(location.search);
const lastAsked = (path: string) => asked.filter((u) => u.pathname === `/api/v1/history/${path}`).at(-1)?.searchParams;
const press = (key: string, on: Element = document.body, init: KeyboardEventInit = {}) => act(() => void fireEvent.keyDown(on, { key, ...init }));

async function chart(): Promise<HTMLElement> {
  await screen.findByText("141 alerts began, steps of 15 min");
  return screen.getByRole("slider");
}

describe("the list", () => {
  it("shows the events of the window with the number of an incident that the board has forgotten", async () => {
    show();
    const line = (await screen.findByText("host-1 does not answer")).closest<HTMLElement>("[role=row]")!;
    for (const words of ["25 Nov 07:58:00", "critical", "firing", "HostDown", "host-1", "prom-a"]) expect(line.textContent).toContain(words);
    await within(line).findByText("INC-000007");
    expect(lastAsked("alerts")?.get("from")).toBe("2026-11-25T07:00:00.000Z");
    expect(lastAsked("alerts")?.get("to")).toBe("2026-11-25T08:00:00.000Z");
    expect(asked.filter((u) => u.pathname.endsWith("/incidents/gone")), "asked for once, not for each row").toHaveLength(1);
  });

  it("reads on where the page before ended", async () => {
    let calls = 0;
    answers["GET /api/v1/history/alerts"] = (_, request) => {
      calls++;
      const cursor = new URL(request.url).searchParams.get("cursor");
      return Response.json(cursor === null ? { events: [event(1)], next: "c1" } : { events: [event(2)], next: null });
    };
    show();
    await screen.findByText("2 events, all of this window");
    expect(lastAsked("alerts")?.get("cursor")).toBe("c1");
    expect(calls).toBe(2);
  });

  it("keeps its rows when reading on fails, and tries again when asked to", async () => {
    answers["GET /api/v1/history/alerts"] = (_, request) =>
      (new URL(request.url).searchParams.get("cursor") === null ? Response.json({ events: [event(1)], next: "c1" }) : problem(503, "overloaded", "history is busy")());
    show();
    await screen.findByText(/No more events could be read. 503: history is busy/);
    expect(screen.getByText("host-1 does not answer")).toBeTruthy();
    answers["GET /api/v1/history/alerts"] = page("events", [event(2)]);
    fireEvent.click(screen.getByText("Try again"));
    await screen.findByText("2 events, all of this window");
  });

  it("says that nothing matches, and takes the last matcher away", async () => {
    answers["GET /api/v1/history/alerts"] = page("events", []);
    show('/history?range=1h&q=item="a" switch');
    await screen.findByText("No event matches in this window");
    fireEvent.click(screen.getByText("Remove last matcher"));
    expect(address().get("q")).toBe('item="a"');
  });

  it("says what is wrong with a query", async () => {
    answers["GET /api/v1/history/alerts"] = problem(400, "invalid_query", "q: the quote is not closed");
    show('/history?q="x');
    await screen.findByText("The filter cannot be read");
    expect(screen.getByRole("search").textContent).toContain("400: q: the quote is not closed");
  });

  it("offers the same rows as files", async () => {
    show('/history?range=1h&q=item="a"');
    await screen.findByText("host-1 does not answer");
    for (const [name, format] of [["CSV", "csv"], ["JSON lines", "jsonl"]] as const) {
      const link = new URL(screen.getByText<HTMLAnchorElement>(name).href);
      expect(link.pathname).toBe("/api/v1/history/alerts");
      expect(Object.fromEntries(link.searchParams)).toEqual({ q: 'item="a"', from: "2026-11-25T07:00:00.000Z", to: "2026-11-25T08:00:00.000Z", format });
    }
  });
});

describe("a history that is behind", () => {
  const status = (history: unknown) => () => Response.json({ history });

  it("says since when ClickHouse takes nothing", async () => {
    answers["GET /api/v1/status"] = status({ behind: 12, failingSince: "2026-11-25T07:56:00Z", failure: "connection refused" });
    show();
    await screen.findByText(/^ClickHouse has taken nothing for 4m/);
  });

  it("says how much is to come while it catches up", async () => {
    answers["GET /api/v1/status"] = status({ behind: 1_234_567, failingSince: null, failure: null });
    show();
    await screen.findByText(/^History catches up: 1.234.567 records/);
  });

  it("says nothing of the moment that writing takes", async () => {
    answers["GET /api/v1/status"] = status({ behind: 700, failingSince: "2026-11-25T07:59:58Z", failure: "timeout" });
    show();
    await chart();
    await waitFor(() => expect(asked.some((u) => u.pathname === "/api/v1/status")).toBe(true));
    expect(screen.queryByText(/ClickHouse|catches up/)).toBeNull();
  });
});

describe("without a history", () => {
  it("the page says what to do, and shows no chart", async () => {
    for (const name of Object.keys(answers)) answers[name] = problem(501, "no_history", "history is off: fetch the engine with `make chdb`");
    show();
    await screen.findByText("No history is kept");
    expect(screen.getByText("History is off: fetch the engine with `make chdb`.")).toBeTruthy();
    expect(screen.queryByRole("slider")).toBeNull();
    expect(screen.queryByText("CSV")).toBeNull();
  });
});

describe("the chart", () => {
  it("narrows to the steps that are dragged over, and Escape widens again", async () => {
    show();
    const plot = await chart();
    const drag = (type: "pointerDown" | "pointerMove" | "pointerUp", clientX: number) => act(() => void fireEvent[type](plot, { clientX, button: 0, pointerId: 1 }));
    drag("pointerDown", 34 + 300); // the plot begins at 34 and is 864 wide: 20 minutes after its begin
    drag("pointerMove", 34 + 400);
    expect(screen.getByText("25 Nov 07:15 to 07:30: 60 critical, 80 warning")).toBeTruthy();
    drag("pointerUp", 34 + 500);
    const storm = "2026-11-25T07:15:00.000Z/2026-11-25T07:45:00.000Z";
    expect(address().get("zoom")).toBe(storm);
    await waitFor(() => expect(lastAsked("alerts/volume")?.get("from")).toBe("2026-11-25T07:15:00.000Z"));
    expect(lastAsked("alerts")?.get("to")).toBe("2026-11-25T07:45:00.000Z");
    press("Escape");
    expect(address().get("zoom")).toBeNull();
    expect(address().get("range")).toBe("1h");
  });

  it("is read and narrowed with keys alone", async () => {
    show();
    const plot = await chart();
    expect(plot.getAttribute("aria-valuetext")).toBe("141 alerts began in steps of 15 min: 60 critical, 1 minor, 80 warning. The most, 140, from 25 Nov 07:15 to 07:30.");
    press("ArrowRight", plot);
    press("ArrowRight", plot);
    expect(plot.getAttribute("aria-valuetext")).toBe("25 Nov 07:15 to 07:30: 60 critical, 80 warning");
    press("ArrowRight", plot, { shiftKey: true });
    expect(plot.getAttribute("aria-valuetext")).toBe("25 Nov 07:15 to 07:45: 60 critical, 80 warning");
    press("Enter", plot);
    expect(address().get("zoom")).toBe("2026-11-25T07:15:00.000Z/2026-11-25T07:45:00.000Z");
    press("Escape", plot);
    expect(address().get("zoom")).toBeNull();
  });

  it("is a table for those who want one", async () => {
    show();
    await chart();
    fireEvent.click(screen.getByText("As a table"));
    const lines = screen.getAllByRole("row").map((r) => r.textContent);
    expect(lines).toContain("25 Nov 07:15 to 07:30" + ["60", "0", "0", "80", "0", "0", "140"].join(""));
    fireEvent.click(screen.getByText("25 Nov 07:45 to 08:00"));
    expect(address().get("zoom")).toBe("2026-11-25T07:45:00.000Z/2026-11-25T08:00:00.000Z");
  });
});

describe("the range", () => {
  it("is one of the usual, or typed", async () => {
    show();
    await chart();
    fireEvent.click(screen.getByText("7 d"));
    expect(address().get("range")).toBe("7d");
    expect(screen.getByText("18 Nov 08:00:00 to 25 Nov 08:00:00 UTC")).toBeTruthy();
    fireEvent.click(screen.getByText("From to …"));
    fireEvent.change(screen.getByLabelText("From"), { target: { value: "2026-11-25T09:00:00" } });
    expect(screen.getByText("The begin must be before the end.")).toBeTruthy();
    fireEvent.change(screen.getByLabelText("From"), { target: { value: "2026-11-24T06:00:00" } });
    fireEvent.click(screen.getByText("Show"));
    expect(address().get("from")).toBe("2026-11-24T06:00:00.000Z");
    expect(address().get("to")).toBe("2026-11-25T08:00:00.000Z");
    expect(screen.getByText("24 Nov 06:00:00 to 25 Nov 08:00:00 UTC")).toBeTruthy();
  });

  it("moves on at a refresh", async () => {
    show();
    await chart();
    vi.mocked(Date.now).mockReturnValue(now + 60_000);
    press("n");
    await waitFor(() => expect(lastAsked("alerts")?.get("to")).toBe("2026-11-25T08:01:00.000Z"));
  });
});

describe("what is open", () => {
  it("an alert shows its labels, each of which narrows the list", async () => {
    show();
    fireEvent.click(await screen.findByText("host-1 does not answer"));
    expect(address().get("open")).toBe(`${event(1).at}/0000000000000001/gone/firing/1`);
    const panel = screen.getByRole("complementary", { name: "Alert HostDown" });
    expect(within(panel).queryByText("Graph"), "a link that is a script").toBeNull();
    fireEvent.click(within(panel).getByText('status="broken"'));
    expect(address().get("q"), "the label, not the field of that name").toBe('labels.status="broken"');
    fireEvent.click(within(panel).getByText('alertname="HostDown"'));
    expect(address().get("q")).toBe('labels.status="broken" alertname="HostDown"');
    press("Escape");
    expect(address().get("open")).toBeNull();
  });

  it("an alert that the list does not hold is looked up", async () => {
    answers["GET /api/v1/history/alerts"] = (_, request) =>
      Response.json({ events: new URL(request.url).searchParams.get("q") === 'fingerprint="0000000000000005"' ? [event(5)] : [], next: null });
    show(`/history?open=${encodeURIComponent(`${event(5).at}/0000000000000005/gone/firing/1`)}`);
    await screen.findByRole("complementary", { name: "Alert HostDown" });
    const question = asked.find((u) => u.searchParams.get("q")?.startsWith("fingerprint"))!.searchParams;
    expect([question.get("from"), question.get("to")]).toEqual(["2026-11-25T07:54:00.123Z", "2026-11-25T07:54:00.124Z"]);
  });

  it("an incident shows its revisions beside each other, and its timeline", async () => {
    show("/history?tab=incidents&range=1h&open=gone");
    const panel = await screen.findByRole("complementary", { name: "Incident INC-000007" });
    await within(panel).findByText("opened by HostDown");
    expect(within(panel).queryByText("On the board"), "it is closed").toBeNull();
    fireEvent.click(await within(panel).findByText(/^state New → Closed/));
    expect(within(panel).getByText("Revision 1")).toBeTruthy();
    const table = within(panel).getByRole("table");
    expect(within(table).getAllByRole("row").map((r) => r.textContent)).toEqual(["FieldRevision 1Revision 2", "StateNewClosed", "Closed–25 Nov 07:50:00"]);
  });

  it("an incident that history does not know says so", async () => {
    answers = { "GET /api/v1/history/incidents/never": problem(404, "not_found", "history of never: not found"), ...answers };
    show("/history?tab=incidents&range=1h&open=never");
    await screen.findByText("History does not know it, or no longer");
  });

  it("a change names its items, each a way to its past", async () => {
    show("/history?tab=changes&range=1h");
    fireEvent.click(await screen.findByText("checkout 4.12.0"));
    const panel = screen.getByRole("complementary", { name: "Change deploy-77" });
    expect(panel.textContent).toContain("rolled back");
    expect(within(panel).queryByText("Its page"), "a link that is a script").toBeNull();
    fireEvent.click(within(panel).getByText("cart"));
    expect(Object.fromEntries(address())).toEqual({ range: "1h", q: 'item="cart"' });
  });
});

describe("the tabs", () => {
  it("take along what means the same", async () => {
    show('/history?range=1h&q=item="host-1" alertname="HostDown"');
    await screen.findByText("host-1 does not answer");
    press("2");
    await screen.findByText("Core switch 2 unreachable");
    expect(Object.fromEntries(address())).toEqual({ tab: "incidents", range: "1h", q: 'item="host-1"' });
    expect(lastAsked("alerts/volume")?.get("q"), "the chart counts alerts, which the query is not about").toBeNull();
  });
});
