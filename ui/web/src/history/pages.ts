// A list that is read page by page as somebody scrolls down.
import { useCallback, useEffect, useRef, useState } from "react";
import type { Page } from "./api";

export interface Pages<T> {
  rows: readonly T[];
  /** Nothing has come yet. */
  empty: boolean;
  /** The rows answer the question before this one. */
  old: boolean;
  /** There are more rows than these. */
  more: boolean;
  error: unknown;
  /** Reads the next page, if there is one and none is under way. */
  readOn: () => void;
  /** Tries again what failed. */
  retry: () => void;
}

interface State<T> {
  /** The question that the rows answer; null: none has been answered. */
  scope: string | null;
  rows: T[];
  next: string | null;
  /** What went wrong, and with which question. */
  failed: { scope: string; error: unknown } | null;
}

/** Reads the first page for each scope; the rows of the one before stay until it has come. */
export function usePages<T>(scope: string, read: (cursor: string | null, signal: AbortSignal) => Promise<Page<T>>): Pages<T> {
  const [state, setState] = useState<State<T>>({ scope: null, rows: [], next: null, failed: null });
  const latest = useRef(read);
  const under = useRef<AbortController | null>(null);
  useEffect(() => {
    latest.current = read;
  });
  const load = useCallback((cursor: string | null) => {
    under.current?.abort();
    const abort = new AbortController();
    under.current = abort;
    latest.current(cursor, abort.signal).then(
      (page) => {
        if (abort.signal.aborted) return;
        setState((s) => ({ scope, rows: cursor === null ? page.rows : [...s.rows, ...page.rows], next: page.next, failed: null }));
      },
      (error: unknown) => {
        if (!abort.signal.aborted) setState((s) => ({ ...s, failed: { scope, error } }));
      },
    ).finally(() => {
      if (under.current === abort) under.current = null;
    });
  }, [scope]);
  useEffect(() => {
    load(null);
    return () => under.current?.abort();
  }, [load]);

  const current = state.scope === scope;
  const failed = state.failed?.scope === scope;
  const readOn = useCallback(() => {
    if (current && !failed && state.next !== null && under.current === null) load(state.next);
  }, [current, failed, load, state.next]);
  const retry = useCallback(() => load(current ? state.next : null), [current, load, state.next]);
  return {
    rows: state.rows, empty: state.scope === null, old: state.scope !== null && !current, more: state.next !== null,
    error: failed ? state.failed?.error : null, readOn, retry,
  };
}
