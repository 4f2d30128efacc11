// The board outside React: the stream writes into it as fast as it likes, React reads one snapshot a frame.
import type { Board, Comparison, Counts, Row } from "../api/model";
import { reorder, samePlace } from "./order";

/** The link to the server, as far as it is known. When it is stale is a question of the present time: see lib/live. */
export interface Connection {
  phase: "loading" | "open" | "broken";
  /** When the last message came, by the clock of this machine. */
  heardAt: number | null;
  /** When the next attempt begins. */
  tryAt: number | null;
  reason: string | null;
}

/** The rows on the board. `rows` is the same map in every view: it is `order` and `version` that tell of a change. */
export interface View {
  version: number;
  rows: ReadonlyMap<string, Row>;
  /** The ids by priority, then age. */
  order: readonly string[];
}

/** What came in while the board is paused. */
export interface Waiting {
  changed: number;
  added: number;
  /** The highest priority among the added ones. */
  best: number | null;
}

export interface Snapshot {
  loaded: boolean;
  view: View;
  comparison: Comparison | null;
  counts: Counts | null;
  connection: Connection;
  /** Null: not paused. */
  paused: { since: number; waiting: Waiting } | null;
  /** What to add to the clock of this machine to get the server's, in ms. */
  clockOffset: number;
}

/** Runs a function at the next frame; the result takes it back. */
export type Scheduler = (run: () => void) => () => void;

/** A frame, or a second when the page is hidden and there are no frames. */
export const frameScheduler: Scheduler = (run) => {
  let over = false;
  const once = () => {
    if (over) return;
    over = true;
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    run();
  };
  const frame = requestAnimationFrame(once);
  const timer = setTimeout(once, 1000);
  return () => {
    over = true;
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
};

// So many rows that have left are kept, for those who still look at them.
const maxDeparted = 500;

const nothingWaits: Waiting = { changed: 0, added: 0, best: null };

export class BoardStore {
  /** How much work was done, so that tests can bound it. */
  readonly stats = { received: 0, frames: 0, applied: 0, reordered: 0 };

  private readonly rows = new Map<string, Row>();
  private readonly departed = new Map<string, Row>();
  /** The latest change of each id that the view has not got; null: it has left. */
  private readonly pending = new Map<string, Row | null>();
  private readonly listeners = new Set<() => void>();
  private readonly schedule: Scheduler;
  private cancel: (() => void) | null = null;
  private snapshot: Snapshot;

  constructor(schedule: Scheduler = frameScheduler) {
    this.schedule = schedule;
    this.snapshot = {
      loaded: false, view: { version: 0, rows: this.rows, order: [] }, comparison: null, counts: null,
      connection: { phase: "loading", heardAt: null, tryAt: null, reason: null }, paused: null, clockOffset: 0,
    };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly getSnapshot = (): Snapshot => this.snapshot;

  /** The row of an id or a number, also of one that has left lately. */
  find(ref: string): Row | undefined {
    const row = this.rows.get(ref) ?? this.departed.get(ref);
    if (row !== undefined) return row;
    for (const rows of [this.rows, this.departed]) {
      for (const r of rows.values()) if (r.number === ref) return r;
    }
    return undefined;
  }

  /** Begins anew with a board. Rows that it does not have are gone. */
  load(board: Board): void {
    const there = new Set<string>();
    this.pending.clear();
    for (const row of board.incidents) {
      there.add(row.id);
      this.pending.set(row.id, row);
    }
    for (const id of this.rows.keys()) if (!there.has(id)) this.pending.set(id, null);
    // A pause outlives a reconnect: the person decides when the board moves again.
    this.change({ loaded: true, comparison: board.comparison, counts: board.counts });
  }

  upsert(row: Row): void {
    this.stats.received++;
    const known = this.pending.has(row.id) ? this.pending.get(row.id) : this.rows.get(row.id);
    if (known && known.revision >= row.revision) return;
    this.pending.set(row.id, row);
    this.request();
  }

  remove(id: string): void {
    this.stats.received++;
    if (this.rows.has(id)) this.pending.set(id, null);
    else this.pending.delete(id);
    this.request();
  }

  setFigures(comparison: Comparison, counts: Counts): void {
    this.change({ comparison, counts });
  }

  setConnection(part: Partial<Connection>): void {
    this.change({ connection: { ...this.next().connection, ...part } });
  }

  setClockOffset(ms: number): void {
    this.change({ clockOffset: ms });
  }

  pause(now: number): void {
    if (this.next().paused === null) this.change({ paused: { since: now, waiting: nothingWaits } });
  }

  resume(): void {
    if (this.next().paused !== null) this.change({ paused: null });
  }

  /** Does at once what the next frame would do. */
  flush(): void {
    this.cancel?.();
    this.cancel = null;
    const next = this.draft ?? this.snapshot;
    this.draft = null;
    this.stats.frames++;
    if (next.paused === null) this.snapshot = { ...next, view: this.apply(next.view) };
    else this.snapshot = { ...next, paused: { since: next.paused.since, waiting: this.waiting() } };
    for (const listener of this.listeners) listener();
  }

  private draft: Snapshot | null = null;

  private next(): Snapshot {
    return this.draft ?? this.snapshot;
  }

  private change(part: Partial<Snapshot>): void {
    this.draft = { ...this.next(), ...part };
    this.request();
  }

  private request(): void {
    this.cancel ??= this.schedule(() => this.flush());
  }

  private apply(view: View): View {
    if (this.pending.size === 0) return view;
    const moved = new Set<string>();
    for (const [id, row] of this.pending) {
      const before = this.rows.get(id);
      this.stats.applied++;
      if (row === null) {
        if (before !== undefined) this.depart(before);
        moved.add(id);
      } else {
        this.rows.set(id, row);
        this.departed.delete(id);
        if (before === undefined || !samePlace(before, row)) moved.add(id);
      }
    }
    this.pending.clear();
    let order = view.order;
    if (moved.size > 0) {
      order = reorder(order, this.rows, moved);
      this.stats.reordered++;
    }
    return { version: view.version + 1, rows: this.rows, order };
  }

  private depart(row: Row): void {
    this.rows.delete(row.id);
    this.departed.set(row.id, row);
    for (const oldest of this.departed.keys()) {
      if (this.departed.size <= maxDeparted) break;
      this.departed.delete(oldest);
    }
  }

  private waiting(): Waiting {
    const w: Waiting = { changed: this.pending.size, added: 0, best: null };
    for (const [id, row] of this.pending) {
      if (row === null || this.rows.has(id)) continue;
      w.added++;
      w.best = Math.min(w.best ?? 5, row.priority);
    }
    return w;
  }
}
