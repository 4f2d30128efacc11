import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Candidate } from "../api/model";
import { renderApp } from "../test/app";
import { row, server } from "../test/rows";
import { effectSentence, lastDays } from "./words";

const at = (ms: number) => new Date(Date.now() + ms).toISOString();
const day = 86_400_000;

const candidate = (id: string, part: Partial<Candidate> = {}): Candidate => ({
  id, revision: 1, state: "proposed", title: `DiskFull on ${id} comes again`, subject: { kind: "item", items: [id], class: "database", alertTypes: ["DiskFull"], change: "", fingerprint: null },
  evidence: [{ rule: "recurrence", text: "3 incidents within 7 days, from 2026-01-02", count: 3 }],
  incidents: [{ id: "i1", number: "INC-000001", title: "DiskFull on db", item: id, openedAt: at(-day), minutes: 30, services: 2 }], incidentCount: 3,
  days: [{ day: at(-day).slice(0, 10), incidents: 3 }], minutes: 90, services: ["shop"], cost: 180, firstAt: at(-3 * day), lastAt: at(-day), proposedAt: at(-day),
  decidedAt: null, decidedBy: null, reason: null, until: null, fixedAt: null, effect: null, updatedAt: at(-day), ...part,
});

let problems: Candidate[];
let sent: [string, unknown][];

beforeEach(() => {
  problems = [candidate("db"), candidate("pump", { cost: 20 }), candidate("old", { state: "dismissed", decidedAt: at(-day), decidedBy: "lena", reason: "known" })];
  sent = [];
  const decide = (id: string, action: string, state: Candidate["state"]) => (body: unknown) => {
    sent.push([`${id} ${action}`, body]);
    problems = problems.map((c) => (c.id === id ? { ...c, state, decidedAt: at(0), decidedBy: "maria" } : c));
    return Response.json(problems.find((c) => c.id === id));
  };
  vi.stubGlobal("fetch", server({
    "GET /api/v1/problems": () => Response.json({ problems, total: problems.length, next: null }),
    "POST /api/v1/problems/db/accept": decide("db", "accept", "accepted"),
    "POST /api/v1/problems/db/dismiss": decide("db", "dismiss", "dismissed"),
    "POST /api/v1/problems/pump/dismiss": decide("pump", "dismiss", "dismissed"),
    "POST /api/v1/problems/old/reopen": decide("old", "reopen", "proposed"),
  }));
});

describe("the page Problems", () => {
  it("lists what is to be decided, dearest first, and shows one with its evidence and incidents", async () => {
    renderApp([row("1")], "/problems");
    const link = await screen.findByRole("link", { name: "DiskFull on db comes again" });
    expect(screen.getAllByRole("row").length).toBe(3); // with the head
    fireEvent.click(link);
    const panel = within(await screen.findByLabelText("Candidate DiskFull on db comes again"));
    expect(panel.getByText(/3 incidents within 7 days/)).toBeTruthy();
    expect(panel.getByRole("link", { name: "INC-000001" }).getAttribute("href")).toBe("/incidents/INC-000001");
    expect(panel.getByText("180 service min")).toBeTruthy();
  });

  it("takes decisions by keys", async () => {
    renderApp([row("1")], "/problems?problem=db");
    await screen.findByLabelText("Candidate DiskFull on db comes again");
    fireEvent.keyDown(document.body, { key: "a" });
    await waitFor(() => expect(sent.map(([what]) => what)).toEqual(["db accept"]));
    await waitFor(() => expect(screen.getByRole("button", { name: /Accepted 1/ })).toBeTruthy());
  });

  it("dismisses several at once, with a reason", async () => {
    renderApp([row("1")], "/problems");
    fireEvent.click(await screen.findByRole("checkbox", { name: "Select DiskFull on db comes again" }));
    fireEvent.click(screen.getByRole("checkbox", { name: "Select DiskFull on pump comes again" }));
    fireEvent.keyDown(document.body, { key: "d" });
    const dialog = within(await screen.findByRole("dialog"));
    const done = dialog.getByRole<HTMLButtonElement>("button", { name: "Dismiss" });
    expect(done.disabled).toBe(true);
    fireEvent.change(dialog.getByRole("textbox"), { target: { value: "replaced next week" } });
    act(() => void fireEvent.click(done));
    await waitFor(() => expect(sent.map(([what]) => what)).toEqual(["db dismiss", "pump dismiss"]));
    expect(sent[0]?.[1]).toMatchObject({ reason: "replaced next week" });
    expect(await screen.findByText("Nothing to decide")).toBeTruthy();
  });

  it("shows what was dismissed, and takes that back", async () => {
    renderApp([row("1")], "/problems?tab=dismissed&problem=old");
    const panel = within(await screen.findByLabelText("Candidate DiskFull on old comes again"));
    expect(panel.getByText("known")).toBeTruthy();
    fireEvent.click(panel.getByRole("button", { name: "Take back" }));
    await waitFor(() => expect(sent.map(([what]) => what)).toEqual(["old reopen"]));
  });
});

describe("words", () => {
  it("count the last thirty days", () => {
    const now = Date.parse("2026-01-30T12:00:00Z");
    const counts = lastDays([{ day: "2026-01-01", incidents: 2 }, { day: "2026-01-30", incidents: 1 }, { day: "2025-12-01", incidents: 9 }], now);
    expect(counts.length).toBe(30);
    expect([counts[0], counts[29]]).toEqual([2, 1]);
    expect(counts.reduce((a, b) => a + b)).toBe(3);
  });

  it("are honest about a fix", () => {
    const effect = { before: 6, beforeDays: 6.1, after: 0, afterDays: 7.5, p: 0.008 };
    expect(effectSentence({ ...effect, verdict: "fell" })).toBe("The rate fell. Before the fix 6 incidents in 6.1 days after the first one, since then 0 in 7.5 days; if nothing had changed, so few would come about with a chance of 0.008.");
    expect(effectSentence({ ...effect, p: 0.0001, verdict: "too_early" })).toContain("less than 0.001");
  });
});
