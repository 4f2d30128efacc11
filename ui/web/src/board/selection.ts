// Several incidents chosen at once, for one command to all of them.
import { useCallback, useMemo, useState } from "react";

export interface Chosen {
  ids: ReadonlySet<string>;
  toggle: (id: string) => void;
  /** Adds everything between two rows of an order, both included. */
  extend: (order: readonly string[], from: string, to: string) => void;
  replace: (ids: readonly string[]) => void;
  clear: () => void;
}

/** The ids between two of an order, both included; an unknown start counts as the end. */
export function between(order: readonly string[], from: string, to: string): string[] {
  const end = order.indexOf(to);
  const start = order.includes(from) ? order.indexOf(from) : end;
  return end < 0 ? [] : order.slice(Math.min(start, end), Math.max(start, end) + 1);
}

const nothing: ReadonlySet<string> = new Set();

export function useChosen(): Chosen {
  const [ids, setIds] = useState(nothing);
  const toggle = useCallback((id: string) => setIds((all) => {
    const next = new Set(all);
    if (!next.delete(id)) next.add(id);
    return next;
  }), []);
  const extend = useCallback((order: readonly string[], from: string, to: string) => setIds((all) => new Set([...all, ...between(order, from, to)])), []);
  const replace = useCallback((all: readonly string[]) => setIds(new Set(all)), []);
  const clear = useCallback(() => setIds(nothing), []);
  return useMemo(() => ({ ids, toggle, extend, replace, clear }), [ids, toggle, extend, replace, clear]);
}
