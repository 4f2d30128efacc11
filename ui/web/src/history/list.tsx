// The rows of the past: only those in sight are in the page, more are read as somebody scrolls.
import { useVirtualizer } from "@tanstack/react-virtual";
import { type MouseEvent, type ReactNode, useEffect, useRef } from "react";
import { useTick } from "../app/tick";
import { dataAge } from "../lib/time";
import { figure } from "../lib/words";
import type { Tab } from "./address";
import type { Pages } from "./pages";

const rowHeight = 28;

export interface Column {
  name: string;
  /** The class of its head and its cells. */
  className?: string;
  /** One more, of the cells only. */
  ink?: string;
}

export interface PastListProps<T> {
  tab: Tab;
  label: string;
  columns: readonly Column[];
  pages: Pages<T>;
  keyOf: (row: T) => string;
  /** The classes of a row, and its cells. */
  look: (row: T) => { className: string; cells: readonly ReactNode[] };
  /** The key of the row that the keys speak of. */
  cursor: string | null;
  onOpen: (key: string) => void;
}

export function PastList<T>({ tab, label, columns, pages, keyOf, look, cursor, onOpen }: PastListProps<T>) {
  const { rows, readOn } = pages;
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => rowHeight, overscan: 12, useFlushSync: false,
  });
  const at = cursor === null ? -1 : rows.findIndex((row) => keyOf(row) === cursor);
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= rows.length - 20) readOn();
  }, [last, rows.length, readOn]);
  const scrolledTo = useRef<string | null>(null);
  useEffect(() => {
    // Only when the cursor moves: rows that come later must not drag the list along.
    if (at < 0 || scrolledTo.current === cursor) return;
    scrolledTo.current = cursor;
    virtual.scrollToIndex(at);
  }, [at, cursor, virtual]);
  const click = (e: MouseEvent) => {
    const t = e.target instanceof Element ? e.target : null;
    const index = t?.closest("a") === null ? t.closest<HTMLElement>("[data-index]")?.dataset.index : undefined;
    const row = index === undefined ? undefined : rows[Number(index)];
    if (row !== undefined) onOpen(keyOf(row));
  };
  return (
    // The keys of the grid are the keys of the page: see app/keys.
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events
    <div
      role="grid" className={`grid past ${tab}-past`} aria-label={label} aria-rowcount={pages.more ? -1 : rows.length + 1} tabIndex={0} aria-busy={pages.old}
      aria-activedescendant={at < 0 ? undefined : `past-${at}`} onClick={click}
    >
      <Head columns={columns} />
      <div className="rows" ref={scroller} role="rowgroup">
        <div className="tall" role="presentation" style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => {
            const row = rows[item.index];
            if (row === undefined) return null;
            const { className, cells } = look(row);
            return (
              <div
                key={item.index} role="row" id={`past-${item.index}`} data-index={item.index} className={`r ${className}`} aria-rowindex={item.index + 2}
                aria-selected={item.index === at} style={{ transform: `translateY(${item.start}px)` }}
              >
                {cells.map((cell, i) => <div key={columns[i]?.name} role="gridcell" className={[columns[i]?.className, columns[i]?.ink].filter(Boolean).join(" ")}>{cell}</div>)}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

function Head({ columns }: { columns: readonly Column[] }) {
  return (
    <div role="rowgroup">
      <div role="row" className="hd" aria-rowindex={1}>{columns.map((c) => <div key={c.name} role="columnheader" className={c.className}>{c.name}</div>)}</div>
    </div>
  );
}

// So long nothing is said about rows that do not come.
const patience = 3_000;

/** The list before its rows: its shape at once, after a while what it waits for. `since` is when it was asked for, in ms. */
export function NotYet({ tab, columns, since }: { tab: Tab; columns: readonly Column[]; since: number }) {
  const waited = useTick() - since;
  return (
    <div className={`grid past ${tab}-past`} aria-busy="true">
      <Head columns={columns} />
      {waited >= patience && <p className="waits" role="status">Waiting for the history of {location.host}, for {dataAge(waited)}.</p>}
      {Array.from({ length: 16 }, (_, i) => <div key={i} className="sk" aria-hidden="true"><i /><i /><i style={{ width: `${26 + (i * 37) % 17}%` }} /><i style={{ width: `${12 + (i * 23) % 9}%` }} /></div>)}
    </div>
  );
}

/** How far the rows reach, and whether they answer the present question. */
export function under<T>(pages: Pages<T>, words: readonly [one: string, many: string]): string {
  if (pages.empty) return "";
  const n = `${figure(pages.rows.length)} ${pages.rows.length === 1 ? words[0] : words[1]}`;
  if (pages.old) return pages.error === null ? "Reading" : `${n} of an earlier question`;
  return pages.more ? `${n}, more as you scroll` : `${n}, all of this window`;
}
