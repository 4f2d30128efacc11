// Small settings that this browser remembers: who commands, which theme.

export interface Setting {
  readonly get: () => string;
  readonly set: (value: string) => void;
  readonly subscribe: (listener: () => void) => () => void;
}

/** A setting under a key of the local storage; without storage it lasts as long as the page. */
export function setting(key: string, initial = ""): Setting {
  const listeners = new Set<() => void>();
  let value = initial;
  try {
    value = localStorage.getItem(key) ?? initial;
  } catch {
    // Storage may be forbidden.
  }
  return {
    get: () => value,
    set(next) {
      value = next;
      try {
        if (next === "") localStorage.removeItem(key);
        else localStorage.setItem(key, next);
      } catch {
        // It lasts as long as the page.
      }
      for (const listener of listeners) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
