import { waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Entry } from "../api/model";
import { board, incident, row, server } from "../test/rows";
import { BoardStore } from "./board";
import { Commands } from "./commands";

const entry = (seq: number, kind: string, part: Partial<Entry> = {}): Entry =>
  ({ seq, kind, at: "2026-01-02T10:05:00Z", by: "maria", text: kind, undoable: true, data: {}, ...part });
const timeline = (entries: Entry[]) => Response.json({ entries, total: entries.length, next: null });

function world() {
  const store = new BoardStore((run) => {
    queueMicrotask(run);
    return () => undefined;
  });
  store.load(board([row("1"), row("2"), row("3")]));
  return { store, commands: new Commands(store, () => "maria", async () => Promise.resolve()) };
}

let sent: { path: string; body: unknown; match: string | null }[];

/** Answers commands with the incident after them, and keeps what was sent. */
const taken = (_: unknown, request: Request) => {
  const path = new URL(request.url).pathname;
  return request.json().then((body: unknown) => {
    sent.push({ path, body, match: request.headers.get("If-Match") });
    const id = path.split("/")[4] ?? "";
    return Response.json(incident(id, { revision: 9, commandRevision: sent.filter((s) => s.path.includes(`/${id}/`)).length }));
  });
};

beforeEach(() => {
  sent = [];
});

describe("a command", () => {
  it("says who gives it and what that person saw, and offers to take it back", async () => {
    const { store, commands } = world();
    vi.stubGlobal("fetch", server({
      "GET /api/v1/incidents/1/timeline": () => timeline([entry(4, "acknowledge"), entry(1, "opened", { by: "engine" })]), "POST /api/v1/incidents/1/": taken,
    }));
    expect(await commands.run(row("1"), "acknowledge")).toBe(true);
    expect(sent).toEqual([{ path: "/api/v1/incidents/1/acknowledge", body: { by: "maria" }, match: '"0"' }]);
    await waitFor(() => expect(commands.getSnapshot().message).toMatchObject({
      kind: "done", text: "INC-000001 acknowledged", undo: [{ id: "1", entry: 4 }],
    }));
    expect(store.find("1")?.revision).toBe(9);
    await commands.undo();
    expect(sent.at(-1)).toEqual({ path: "/api/v1/incidents/1/undo", body: { by: "maria", entry: 4 }, match: '"1"' });
  });

  it("does not offer to take back an older one of its kind, when the timeline is behind", async () => {
    const { commands } = world();
    const stale = entry(2, "assign", { at: "2026-01-02T09:00:00Z" });
    const asked = vi.fn(() => timeline([stale]));
    vi.stubGlobal("fetch", server({ "GET /api/v1/incidents/1/timeline": asked, "POST /api/v1/incidents/1/": taken }));
    await commands.run(row("1"), "assign", { person: "maria" });
    await waitFor(() => expect(asked).toHaveBeenCalledTimes(4));
    expect(commands.getSnapshot().message?.undo).toEqual([]);
  });

  it("waits for the one before it, and does not conflict with it", async () => {
    const { commands } = world();
    vi.stubGlobal("fetch", server({ "GET /": () => timeline([]), "POST /api/v1/incidents/1/": taken }));
    await Promise.all([commands.run(row("1"), "acknowledge"), commands.run(row("1"), "start")]);
    expect(sent.map((s) => [s.path.split("/").at(-1), s.match])).toEqual([["acknowledge", '"0"'], ["start", '"1"']]);
  });

  it("that came second shows the row as it is and says who was first and what changed", async () => {
    const { store, commands } = world();
    const now = row("1", { revision: 5, commandRevision: 3, state: "in_progress", acknowledgedAt: "2026-01-02T10:01:00Z", acknowledgedBy: "tom" });
    vi.stubGlobal("fetch", server({
      "GET /api/v1/incidents/1/timeline": () => timeline([entry(7, "acknowledge", { by: "tom" })]),
      "POST /api/v1/incidents/1/resolve": () => Response.json({ status: 409, code: "conflict", detail: "another command came first", incident: now }, { status: 409 }),
    }));
    expect(await commands.run(row("1"), "resolve", { code: "fixed" })).toBe(false);
    expect(commands.getSnapshot().message).toMatchObject({
      kind: "conflict", text: "INC-000001: nothing done. tom was first: state New → In progress, acknowledged by tom. Look again, then repeat.",
    });
    await waitFor(() => expect(store.find("1")?.state).toBe("in_progress"));
  });

  it("that is refused says why, with every fault", async () => {
    const { commands } = world();
    vi.stubGlobal("fetch", server({
      "POST /": () => Response.json({ status: 422, code: "refused", detail: "not possible", faults: [{ field: "until", reason: "is in the past" }] }, { status: 422 }),
    }));
    await commands.run(row("1"), "snooze", { until: "2020-01-01T00:00:00Z" });
    expect(commands.getSnapshot().message).toMatchObject({ kind: "refused", text: "INC-000001: 422: not possible: until is in the past" });
  });

  it("is sent once more with the same key when nothing answers", async () => {
    const { commands } = world();
    const keys: (string | null)[] = [];
    vi.stubGlobal("fetch", server({
      "POST /": (_, request) => {
        keys.push(request.headers.get("Idempotency-Key"));
        if (keys.length === 1) throw new TypeError("network");
        return Response.json(incident("1", { revision: 2 }));
      },
    }));
    expect(await commands.run(row("1"), "acknowledge")).toBe(true);
    expect(keys).toHaveLength(2);
    expect(keys[0]).toBe(keys[1]);
  });
});

describe("one command to many", () => {
  it("says in one message what came of all, and is taken back as a whole", async () => {
    const { commands } = world();
    vi.stubGlobal("fetch", server({ "GET /": () => timeline([entry(4, "acknowledge")]), "POST /": taken }));
    await commands.runAll([row("1"), row("2"), row("3")], "acknowledge");
    await waitFor(() => expect(commands.getSnapshot().message).toMatchObject({ text: "3 incidents acknowledged", undo: [{ id: "1" }, { id: "2" }, { id: "3" }] }));
    await commands.undo();
    expect(sent.slice(3).map((s) => s.path.split("/").slice(4).join(" "))).toEqual(["1 undo", "2 undo", "3 undo"]);
  });

  it("that merges is taken back at the incident that stays", async () => {
    const { commands } = world();
    vi.stubGlobal("fetch", server({
      "GET /api/v1/incidents/1/timeline": () => timeline([entry(6, "merged", { data: { incident: "2" } as Record<string, unknown> as Entry["data"] })]), "POST /": taken,
    }));
    await commands.runAll([row("2")], "merge", { into: "1" });
    await waitFor(() => expect(commands.getSnapshot().message?.undo).toEqual([{ id: "1", number: "INC-000001", entry: 6 }]));
  });
});
