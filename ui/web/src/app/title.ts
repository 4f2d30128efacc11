// The title of the page counts what nobody has taken notice of, for those who look at another tab.
import { useEffect } from "react";
import { unhandled } from "../board/select";
import { useBoard } from "./context";

export function useTitle(): void {
  const view = useBoard((s) => s.view);
  useEffect(() => {
    let n = 0;
    for (const row of view.rows.values()) if (unhandled(row)) n++;
    document.title = n === 0 ? "Signalbox" : `(${n}) Signalbox`;
  }, [view]);
}
