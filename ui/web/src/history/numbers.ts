// Which number an incident has. Alert events carry only its id; the board knows those in memory, history the others.
import { createContext, useContext, useEffect, useSyncExternalStore } from "react";
import { useServices } from "../app/context";

export class Numbers {
  private readonly known = new Map<string, string | null>();
  private readonly listeners = new Set<() => void>();
  private readonly find: (id: string) => Promise<string | null>;

  constructor(find: (id: string) => Promise<string | null>) {
    this.find = find;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly get = (id: string): string | null => this.known.get(id) ?? null;

  /** Finds out once; who has no number stays without. */
  want(id: string): void {
    if (this.known.has(id)) return;
    this.known.set(id, null);
    void this.find(id).then((number) => {
      this.known.set(id, number);
      for (const listener of this.listeners) listener();
    }, () => undefined);
  }
}

export const NumbersContext = createContext<Numbers | null>(null);

/** The number of an incident, as soon as it is known. */
export function useNumber(id: string): string | null {
  const { store } = useServices();
  const numbers = useContext(NumbersContext);
  if (numbers === null) throw new Error("no numbers around this component");
  const onBoard = id === "" ? undefined : store.find(id)?.number;
  useEffect(() => {
    if (id !== "" && onBoard === undefined) numbers.want(id);
  }, [numbers, id, onBoard]);
  const kept = useSyncExternalStore(numbers.subscribe, () => numbers.get(id));
  return onBoard ?? kept;
}
