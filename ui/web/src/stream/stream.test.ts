import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Problem } from "../api/client";
import type { Board, Position } from "../api/model";
import { BoardStore } from "../store/board";
import { board, row } from "../test/rows";
import { backoff, BoardStream, type Socket, streamURL } from "./stream";

interface Opened extends Socket {
  position: Position;
  closed: boolean;
}

function world(boards: (() => Board)[]) {
  const store = new BoardStore((run) => {
    queueMicrotask(run);
    return () => undefined;
  });
  const sockets: Opened[] = [];
  let fetched = 0;
  const stream = new BoardStream({
    store, random: () => 1, now: Date.now,
    fetchBoard: async () => {
      const next = boards[Math.min(fetched++, boards.length - 1)];
      if (next === undefined) throw new Error("no board");
      return Promise.resolve(next());
    },
    openSocket: (position) => {
      const s: Opened = { position, closed: false, onopen: null, onmessage: null, onclose: null, close: () => (s.closed = true) };
      sockets.push(s);
      return s;
    },
  });
  const last = () => sockets.at(-1)!;
  const say = (message: unknown) => last().onmessage?.({ data: JSON.stringify(message) });
  return { store, stream, sockets, last, say, fetches: () => fetched };
}

const delta = (offset: number, ...upsert: unknown[]) => ({ type: "delta", position: { epoch: "e1", offset }, upsert, remove: [] });
const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => void vi.useFakeTimers({ now: Date.parse("2026-01-02T10:00:00Z") }));
afterEach(() => void vi.useRealTimers());

describe("the stream", () => {
  it("begins at the position of the board and goes on after the last delta", async () => {
    const w = world([() => board([row("a")], 10)]);
    w.stream.start();
    await settle();
    expect(w.last().position).toEqual({ epoch: "e1", offset: 10 });
    w.say(delta(12, row("b")));
    w.last().onclose?.({ code: 1006, reason: "" });
    await vi.advanceTimersByTimeAsync(500);
    expect(w.fetches()).toBe(1);
    expect(w.last().position.offset).toBe(12);
    await settle();
    expect(w.store.getSnapshot().view.order).toHaveLength(2);
  });

  it("fetches the board again when its position cannot be served", async () => {
    const w = world([() => board([row("a")], 10), () => board([row("b")], 3)]);
    w.stream.start();
    await settle();
    w.say({ type: "resync" });
    await settle();
    expect(w.fetches()).toBe(2);
    expect(w.last().position.offset).toBe(3);
    expect(w.store.getSnapshot().view.order).toEqual(["b"]);
  });

  it("waits longer and longer, and not for ever", async () => {
    const w = world([() => { throw new Problem(503, { code: "not_ready" }); }]);
    w.stream.start();
    await settle();
    const waits: number[] = [];
    for (let n = 0; n < 8; n++) {
      const { tryAt } = w.store.getSnapshot().connection;
      const wait = (tryAt ?? 0) - Date.now();
      waits.push(wait);
      await vi.advanceTimersByTimeAsync(wait);
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
    expect(w.store.getSnapshot().connection.reason).toBe("The server answered 503, code not_ready.");
  });

  it("takes a connection that says nothing for dead", async () => {
    const w = world([() => board([], 1)]);
    w.stream.start();
    await settle();
    const first = w.last();
    await vi.advanceTimersByTimeAsync(31_000);
    expect(first.closed).toBe(true);
    expect(w.sockets.length).toBeGreaterThan(1);
  });

  it("learns the figures and the server's clock from a ping", async () => {
    const w = world([() => board([], 1)]);
    w.stream.start();
    await settle();
    w.say({
      type: "ping", position: { epoch: "e1", offset: 1 }, time: "2026-01-02T10:00:05Z",
      comparison: { windowSeconds: 900, alerts: 186, groups: 61, incidents: 4 }, counts: { suppressed: 0, unbound: 3, refused: 0, alertsFiring: 9 },
    });
    await settle();
    const s = w.store.getSnapshot();
    expect(s.clockOffset).toBe(5000);
    expect(s.comparison?.groups).toBe(61);
    expect(s.counts?.unbound).toBe(3);
  });

  it("does not come back after it was stopped", async () => {
    const w = world([() => board([], 1)]);
    w.stream.start();
    await settle();
    w.stream.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(w.sockets).toHaveLength(1);
    expect(w.last().closed).toBe(true);
  });
});

describe("backoff", () => {
  it("spreads clients over the second half of each wait", () => {
    expect(backoff(3, () => 0)).toBe(2000);
    expect(backoff(3, () => 1)).toBe(4000);
  });
});

describe("the address of the stream", () => {
  it("follows the page's own scheme", () => {
    expect(streamURL("https://board.example", { epoch: "e-1", offset: 7 })).toBe("wss://board.example/api/v1/stream?epoch=e-1&offset=7");
  });
});
