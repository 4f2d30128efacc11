// The queue, and beside it the incident that is open.
import { useCallback, useState } from "react";
import { useBoard, usePerson, useServices } from "../app/context";
import { useKeys } from "../app/keys";
import { go, type Route } from "../app/route";
import { Queue } from "../board/Queue";
import { refusal } from "../lib/words";
import { type Asked, CommandDialog } from "../panel/CommandDialog";
import { NameDialog } from "../app/NameDialog";
import { Panel } from "../panel/Panel";

export function IncidentsPage({ route }: { route: Route }) {
  const { store, commands } = useServices();
  const person = usePerson();
  const loaded = useBoard((s) => s.loaded);
  const version = useBoard((s) => s.view.version);
  const [marked, setMarked] = useState<string | null>(null);
  const [asked, setAsked] = useState<Asked | null>(null);
  const [nameless, setNameless] = useState(false);
  // version makes the row be looked up again when the board has changed.
  const open = route.incident === null || version < 0 ? undefined : store.find(route.incident);
  const cursor = open?.id ?? marked;

  const current = useCallback(() => (cursor === null ? undefined : store.find(cursor)), [cursor, store]);
  const close = () => {
    if (open !== undefined) setMarked(open.id);
    go({ incident: null });
  };
  const ask = (action: Asked["action"]) => () => {
    const row = current();
    if (row !== undefined && refusal(action, row) === null) setAsked({ action, row });
  };
  const run = (action: "acknowledge" | "unacknowledge") => () => {
    const row = current();
    if (row !== undefined && refusal(action, row) === null) void commands.run(row, action);
  };
  useKeys({
    Escape: () => {
      if (route.incident !== null) close();
      else if (route.q !== "") go({ q: "" });
      else setMarked(null);
    },
    a: run("acknowledge"), A: run("unacknowledge"), h: ask("hold"), s: ask("snooze"), r: ask("resolve"), g: ask("assign"),
    m: () => {
      const row = current();
      if (person === "") setNameless(true);
      else if (row !== undefined && refusal("assign", row) === null) void commands.run(row, "assign", { person });
    },
    c: () => document.getElementById("comment")?.focus(),
  });

  return (
    <main className={route.incident === null ? "work" : "work open"}>
      <Queue route={route} cursor={cursor} setCursor={setMarked} />
      {route.incident !== null && loaded && (
        <Panel key={open?.id ?? route.incident} reference={open?.id ?? route.incident} row={open} onClose={close} onAsk={setAsked} onNameless={() => setNameless(true)} />
      )}
      {asked !== null && <CommandDialog asked={asked} onClose={() => setAsked(null)} />}
      {nameless && <NameDialog onClose={() => setNameless(false)} />}
    </main>
  );
}
