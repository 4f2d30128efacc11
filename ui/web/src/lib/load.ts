// Loads something, and again when its version changes; the old stays until the new is there.
import { useEffect, useRef, useState } from "react";

export interface Loaded<T> {
  value: T | null;
  error: unknown;
  /** The version that value or error is of. */
  version: string;
}

interface Loading {
  abort: AbortController;
  began: number;
  sequence: number;
  taken: number;
}

/**
 * Calls load for each key and version. With another key the old value goes at once and what is under way is aborted;
 * with another version what is under way may finish, and the next begins not sooner than `pace` ms after it began:
 * versions that change faster than a load takes must not keep every load from its end.
 */
export function useLoad<T>(key: string, version: string, pace: number, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, setState] = useState<Loaded<T> & { key: string }>({ value: null, error: null, version: "", key });
  const latest = useRef(load);
  const loading = useRef<Loading | null>(null);
  useEffect(() => {
    latest.current = load;
  });
  useEffect(() => {
    const abort = new AbortController();
    loading.current = { abort, began: -Infinity, sequence: 0, taken: 0 };
    return () => abort.abort();
  }, [key]);
  useEffect(() => {
    const l = loading.current;
    if (l === null) return;
    const take = (sequence: number, next: (s: Loaded<T> & { key: string }) => Loaded<T>) => {
      if (l.abort.signal.aborted || sequence < l.taken) return;
      l.taken = sequence;
      setState((s) => ({ ...next(s), key }));
    };
    const timer = setTimeout(() => {
      const sequence = ++l.sequence;
      l.began = performance.now();
      latest.current(l.abort.signal).then(
        (value) => take(sequence, () => ({ value, error: null, version })),
        (error: unknown) => take(sequence, (s) => ({ value: s.key === key ? s.value : null, error, version })),
      );
    }, Math.max(0, pace - (performance.now() - l.began)));
    return () => clearTimeout(timer);
  }, [key, version, pace]);
  return state.key === key ? state : { value: null, error: null, version: "" };
}
