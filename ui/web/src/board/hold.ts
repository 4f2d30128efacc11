// Holds the order of the list while somebody points at it or moves through it, so that no row jumps away.
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { compareOrders, type Held, noneHeld } from "../store/order";

/** So long after the last sign of a hand the order is let go. */
export const holdFor = 5_000;

export interface Hold {
  order: readonly string[];
  held: Held;
  /** A hand was at work: the order stands still from now on. */
  touch: () => void;
  /** Takes in what waits. */
  release: () => void;
}

/** `scope` says what the list is of: with another one the held order has no meaning any more. */
export function useHold(wanted: readonly string[], scope: string): Hold {
  const [frozen, setFrozen] = useState<{ order: readonly string[]; scope: string } | null>(null);
  const now = useRef(wanted);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => {
    now.current = wanted;
  });
  useEffect(() => () => clearTimeout(timer.current), []);

  const release = useCallback(() => {
    clearTimeout(timer.current);
    setFrozen(null);
  }, []);
  const touch = useCallback(() => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setFrozen(null), holdFor);
    setFrozen((f) => (f !== null && f.scope === scope ? f : { order: now.current, scope }));
  }, [scope]);

  const order = frozen !== null && frozen.scope === scope ? frozen.order : wanted;
  const held = useMemo(() => (order === wanted ? noneHeld : compareOrders(order, wanted)), [order, wanted]);
  return { order, held, touch, release };
}
