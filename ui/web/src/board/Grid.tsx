// The table of the live queue: one tab stop, a cursor that stays on its incident, only the rows in sight in the page.
import { useVirtualizer } from "@tanstack/react-virtual";
import { type MouseEvent, useEffect, useRef } from "react";
import type { Row } from "../api/model";
import { BoardRow, dueIn, openFor } from "./BoardRow";
import type { SortKey } from "./select";

export const rowHeight = 28;

export interface GridProps {
  order: readonly string[];
  find: (id: string) => Row | undefined;
  rows: ReadonlyMap<string, Row>;
  cursor: string | null;
  chosen: ReadonlySet<string>;
  busy: ReadonlySet<string>;
  sort: SortKey;
  /** Targets are promised, so that there is something in the column of due times. */
  due: boolean;
  now: number;
  onSort: (sort: SortKey) => void;
  onOpen: (row: Row) => void;
  /** A click with Ctrl chooses one more, one with Shift all up to it. */
  onChoose: (row: Row, range: boolean) => void;
  onQuick: (row: Row, action: "acknowledge" | "assign") => void;
  onTouch: () => void;
  onLeave: () => void;
}

export function Grid(p: GridProps) {
  const { order, cursor } = p;
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: order.length, getScrollElement: () => scroller.current, estimateSize: () => rowHeight, overscan: 12,
    getItemKey: (i) => order[i] ?? i, useFlushSync: false,
  });
  const at = cursor === null ? -1 : order.indexOf(cursor);
  const scrolledTo = useRef<string | null>(null);
  useEffect(() => {
    // Only when the cursor moves: a row that moves by itself must not drag the list along.
    if (at < 0 || scrolledTo.current === cursor) return;
    scrolledTo.current = cursor;
    virtual.scrollToIndex(at);
  }, [at, cursor, virtual]);

  const click = (e: MouseEvent) => {
    if (!(e.target instanceof Element) || e.target.closest("[data-quick]") !== null) return;
    const id = e.target.closest<HTMLElement>("[data-id]")?.dataset.id;
    const row = id === undefined ? undefined : p.find(id);
    if (row === undefined) return;
    if (e.ctrlKey || e.metaKey || e.shiftKey) p.onChoose(row, e.shiftKey);
    else p.onOpen(row);
  };
  return (
    // The keys of the grid are the keys of the page: see app/keys.
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events
    <div
      role="grid" className={p.due ? "grid due" : "grid"} aria-label="Incidents" aria-rowcount={order.length + 1} aria-multiselectable="true" tabIndex={0}
      aria-activedescendant={at < 0 ? undefined : `row-${cursor}`}
      onClick={click} onMouseDown={(e) => e.shiftKey && e.preventDefault()} onPointerMove={p.onTouch} onPointerLeave={p.onLeave} onFocus={p.onTouch}
    >
      <Head sort={p.sort} onSort={p.onSort} />
      <div className="rows" ref={scroller} role="rowgroup">
        <div className="tall" role="presentation" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const id = order[item.index] ?? "";
            const row = p.find(id);
            if (row === undefined) return null;
            const below = p.find(order[item.index + 1] ?? "");
            return (
              <BoardRow
                key={item.key} row={row} index={item.index + 1} top={item.start} selected={id === cursor} picked={p.chosen.has(id)} gone={!p.rows.has(id)}
                cut={p.sort === "priority" && below !== undefined && below.priority !== row.priority} busy={p.busy.has(id)}
                openFor={openFor(row, p.now)} due={dueIn(row, p.now)} now={Math.floor(p.now / 60_000) * 60_000} onQuick={p.onQuick}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

const columns: { name: string; className: string; sort?: SortKey; reverse?: boolean }[] = [
  { name: "Severity", className: "" },
  { name: "P", className: "", sort: "priority" },
  { name: "Number", className: "c-no" },
  { name: "State", className: "c-st" },
  { name: "Incident", className: "" },
  { name: "Probable cause", className: "" },
  { name: "Alerts", className: "", sort: "alerts", reverse: true },
  { name: "Items", className: "num", sort: "items", reverse: true },
  { name: "Site", className: "c-site" },
  { name: "Age", className: "num", sort: "age" },
  { name: "Due", className: "c-due", sort: "due" },
  { name: "Owner", className: "own-h" },
];

export function Head({ sort, onSort }: Pick<GridProps, "sort" | "onSort">) {
  return (
    <div role="rowgroup">
      <div role="row" className="hd" aria-rowindex={1}>
        {columns.map((c) => {
          const key = c.sort;
          if (key === undefined) return <div key={c.name} role="columnheader" className={c.className}>{c.name}</div>;
          const now = sort === key;
          return (
            <div key={c.name} role="columnheader" className={c.className} aria-sort={now ? (c.reverse ? "descending" : "ascending") : "none"}>
              <button type="button" className={now ? "sort now" : "sort"} title={`Sort by ${c.name === "P" ? "priority" : c.name.toLowerCase()}`} onClick={() => onSort(key)}>
                {c.name}{now && <span aria-hidden="true"> ↓</span>}
              </button>
            </div>
          );
        })}
      </div>
    </div>
  );
}
