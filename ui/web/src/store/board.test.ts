import { describe, expect, it } from "vitest";
import { board, row } from "../test/rows";
import { BoardStore } from "./board";

/** A store whose frames come when the test says so. */
function storeByHand() {
  let due: (() => void) | null = null;
  const store = new BoardStore((run) => {
    due = run;
    return () => {
      due = null;
    };
  });
  const frame = () => {
    const run = due;
    due = null;
    run?.();
  };
  return { store, frame };
}

const numbers = (store: BoardStore) => store.getSnapshot().view.order;

describe("a snapshot and its deltas", () => {
  it("show the board by priority, then youngest first", () => {
    const { store, frame } = storeByHand();
    store.load(board([
      row("old", { openedAt: "2026-01-02T09:00:00Z" }), row("p1", { priority: 1 }), row("young", { openedAt: "2026-01-02T11:00:00Z" }),
    ]));
    frame();
    expect(numbers(store)).toEqual(["p1", "young", "old"]);
    store.upsert(row("old", { revision: 2, priority: 1, openedAt: "2026-01-02T09:00:00Z" }));
    store.remove("young");
    frame();
    expect(numbers(store)).toEqual(["p1", "old"]);
  });

  it("never go back to an older revision, in whatever order they come", () => {
    const { store, frame } = storeByHand();
    store.load(board([row("a", { revision: 5, title: "five" })]));
    frame();
    store.upsert(row("a", { revision: 7, title: "seven" }));
    store.upsert(row("a", { revision: 6, title: "six" }));
    frame();
    store.upsert(row("a", { revision: 5, title: "five again" }));
    frame();
    expect(store.find("a")?.title).toBe("seven");
  });

  it("forget the rows that a new board does not have, but let one who still looks find them", () => {
    const { store, frame } = storeByHand();
    store.load(board([row("a"), row("b")]));
    frame();
    store.load(board([row("b")]));
    frame();
    expect(numbers(store)).toEqual(["b"]);
    expect(store.find("INC-00000a")?.id).toBe("a");
  });
});

describe("a storm", () => {
  it("costs one view a frame, and each row once", () => {
    const { store, frame } = storeByHand();
    store.load(board(Array.from({ length: 100 }, (_, i) => row(String(i)))));
    frame();
    let views = 0;
    store.subscribe(() => views++);
    const applied = store.stats.applied;
    for (let n = 2; n < 200; n++) for (let i = 0; i < 100; i++) store.upsert(row(String(i), { revision: n }));
    frame();
    expect(views).toBe(1);
    expect(store.stats.applied - applied).toBe(100);
    expect(store.find("7")?.revision).toBe(199);
  });

  it("that changes no place leaves the order as it is", () => {
    const { store, frame } = storeByHand();
    store.load(board([row("a"), row("b")]));
    frame();
    const before = numbers(store);
    store.upsert(row("a", { revision: 2, alertCounts: { firing: 9, resolved: 0, expired: 0, suppressed: 0, maintenance: 0, total: 9 } }));
    frame();
    expect(numbers(store)).toBe(before);
  });
});

describe("a pause", () => {
  it("holds the board, counts what waits, and gives it back in one go", () => {
    const { store, frame } = storeByHand();
    store.load(board([row("a")]));
    frame();
    store.pause(1000);
    store.upsert(row("a", { revision: 2, title: "changed" }));
    store.upsert(row("new", { priority: 2 }));
    store.upsert(row("newer", { priority: 4 }));
    frame();
    expect(numbers(store)).toEqual(["a"]);
    expect(store.getSnapshot().paused).toEqual({ since: 1000, waiting: { changed: 3, added: 2, best: 2 } });
    store.resume();
    frame();
    expect(numbers(store)).toEqual(["new", "a", "newer"]);
    expect(store.find("a")?.title).toBe("changed");
  });
});
