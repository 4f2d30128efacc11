// Says aloud, to those who do not see the board, that new incidents have come: a summary, not every change.
import { useEffect, useRef, useState } from "react";
import { plural } from "../lib/words";
import { useServices } from "./context";

const atMostEvery = 10_000;

/** "2 new incidents, 1 of them P2"; null when none is new. */
export function announcement(priorities: readonly number[]): string | null {
  if (priorities.length === 0) return null;
  const best = Math.min(...priorities);
  const many = plural(priorities.length, "new incident");
  return priorities.length === 1 ? `${many}, P${best}` : `${many}, ${priorities.filter((p) => p === best).length} of them P${best}`;
}

export function Announcer() {
  const { store } = useServices();
  const [text, say] = useState("");
  const known = useRef<Set<string> | null>(null);
  useEffect(() => {
    const look = () => {
      const { loaded, view } = store.getSnapshot();
      if (!loaded) return;
      const before = known.current;
      known.current = new Set(view.order);
      if (before === null) return;
      const news = announcement(view.order.flatMap((id) => (before.has(id) ? [] : view.rows.get(id)?.priority ?? [])));
      if (news !== null) say(news);
    };
    look();
    const timer = setInterval(look, atMostEvery);
    return () => clearInterval(timer);
  }, [store]);
  return <p className="sr" role="status" aria-live="polite">{text}</p>;
}
