import { describe, expect, it } from "vitest";
import type { Row } from "../api/model";
import { row } from "../test/rows";
import { compareOrders, compareRows, heldChanges, reorder } from "./order";

/** The same pseudo-random numbers in each run. */
function dice(seed: number): (n: number) => number {
  let x = seed;
  return (n) => {
    x = (x * 1103515245 + 12345) % 2147483648;
    return x % n;
  };
}

const at = (roll: (n: number) => number) => new Date(Date.UTC(2026, 0, 1, 0, roll(500))).toISOString();

describe("reorder", () => {
  it("does in one pass what sorting everything would do", () => {
    const roll = dice(42);
    const rows = new Map<string, Row>();
    let order: string[] = [];
    for (let round = 0; round < 300; round++) {
      const moved = new Set<string>();
      for (let k = roll(8); k >= 0; k--) {
        const id = String(roll(60));
        moved.add(id);
        if (roll(4) === 0) rows.delete(id);
        else rows.set(id, row(id, { priority: 1 + roll(5), openedAt: at(roll) }));
      }
      order = reorder(order, rows, moved);
      expect(order).toEqual([...rows.values()].sort(compareRows).map((r) => r.id));
    }
  });
});

describe("what a frozen order hides", () => {
  it("is the rows that came, those that left, and the fewest that would have to move", () => {
    const held = compareOrders(["a", "b", "c", "d"], ["d", "a", "x", "c"]);
    expect(held).toEqual({ added: ["x"], removed: ["b"], moved: 1 });
    expect(heldChanges(held)).toBe(3);
  });
});
