// The order of the board, and how it is held while somebody points at it.
import type { Row } from "../api/model";

/** Priority first, then the youngest; the id keeps equals where they are. */
export function compareRows(a: Row, b: Row): number {
  if (a.priority !== b.priority) return a.priority - b.priority;
  if (a.openedAt !== b.openedAt) return a.openedAt < b.openedAt ? 1 : -1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** Tells whether two revisions of a row stand at the same place. */
export const samePlace = (a: Row, b: Row): boolean => a.priority === b.priority && a.openedAt === b.openedAt;

/**
 * Puts the rows that have come or moved into an order that is right for all others. It costs one pass
 * over the order and the sorting of what moved, never of the whole board.
 */
export function reorder(
  order: readonly string[], rows: ReadonlyMap<string, Row>, moved: ReadonlySet<string>, compare: (a: Row, b: Row) => number = compareRows,
): string[] {
  const coming: Row[] = [];
  for (const id of moved) {
    const row = rows.get(id);
    if (row !== undefined) coming.push(row);
  }
  coming.sort(compare);
  const out: string[] = [];
  let next = 0;
  for (const id of order) {
    if (moved.has(id)) continue;
    const row = rows.get(id);
    if (row === undefined) continue;
    for (let c = coming[next]; c !== undefined && compare(c, row) < 0; c = coming[next]) {
      out.push(c.id);
      next++;
    }
    out.push(id);
  }
  for (const c of coming.slice(next)) out.push(c.id);
  return out;
}

/** What a held order keeps from the eye. */
export interface Held {
  added: string[];
  removed: string[];
  /** How many of the rows shown would have to be moved. */
  moved: number;
}

export const noneHeld: Held = { added: [], removed: [], moved: 0 };

export const heldChanges = (h: Held): number => h.added.length + h.removed.length + h.moved;

/** Compares the order that is shown with the one that would be. */
export function compareOrders(shown: readonly string[], wanted: readonly string[]): Held {
  if (shown === wanted) return noneHeld;
  const place = new Map(wanted.map((id, i) => [id, i]));
  const common: number[] = [];
  const removed: string[] = [];
  for (const id of shown) {
    const at = place.get(id);
    if (at === undefined) removed.push(id);
    else common.push(at);
  }
  const known = new Set(shown);
  return { added: wanted.filter((id) => !known.has(id)), removed, moved: common.length - longestRise(common) };
}

/** The length of the longest increasing subsequence: those that may stay where they are. */
function longestRise(places: readonly number[]): number {
  const tails: number[] = [];
  for (const p of places) {
    let low = 0;
    for (let high = tails.length; low < high;) {
      const middle = (low + high) >> 1;
      if ((tails[middle] ?? 0) < p) low = middle + 1;
      else high = middle;
    }
    tails[low] = p;
  }
  return tails.length;
}
