// The queue, and beside it the incident that is open. Here it is decided what a command speaks of.
import { useCallback, useState } from "react";
import type { Action, Row } from "../api/model";
import { useBoard, useDead, usePerson, useServices } from "../app/context";
import { useKeys } from "../app/keys";
import { NameDialog } from "../app/NameDialog";
import { Palette } from "../app/Palette";
import { go, type Route } from "../app/route";
import { Queue } from "../board/Queue";
import { useChosen } from "../board/selection";
import { copyLink } from "../lib/copy";
import { plural, refusal } from "../lib/words";
import { asks } from "../panel/actions";
import { cutOff } from "../panel/CommandBar";
import { type Asked, CommandDialog } from "../panel/CommandDialog";
import { Panel } from "../panel/Panel";

export function IncidentsPage({ route }: { route: Route }) {
  const { store, commands } = useServices();
  const person = usePerson();
  const dead = useDead();
  const loaded = useBoard((s) => s.loaded);
  const version = useBoard((s) => s.view.version);
  const [marked, setMarked] = useState<string | null>(null);
  const [asked, setAsked] = useState<Asked | null>(null);
  const [nameless, setNameless] = useState(false);
  const [palette, setPalette] = useState(false);
  const [commenting, setCommenting] = useState(false);
  const chosen = useChosen();
  // version makes the row be looked up again when the board has changed.
  const open = route.incident === null || version < 0 ? undefined : store.find(route.incident);
  const cursor = open?.id ?? marked;

  /** What a key speaks of: the chosen ones, else the one under the cursor. */
  const targets = useCallback((): Row[] => {
    const ids = chosen.ids.size > 0 ? [...chosen.ids] : cursor === null ? [] : [cursor];
    return ids.flatMap((id) => store.find(id) ?? []);
  }, [chosen.ids, cursor, store]);

  /** The rows to which an action can be done; when there is none, the foot line says why. */
  const able = (action: Action, rows: readonly Row[]): Row[] => {
    const fit = dead ? [] : rows.filter((r) => refusal(action, r) === null);
    const [first] = rows;
    if (fit.length === 0 && first !== undefined) {
      const why = dead ? cutOff : refusal(action, first);
      commands.refuse(rows.length === 1 ? `${first.number}: ${why}` : `Possible for none of ${plural(rows.length, "incident")}. ${first.number}: ${why}`);
    }
    return fit;
  };
  const give = (action: Action, rows: readonly Row[]) => {
    const [first, ...others] = able(action, rows);
    if (first === undefined) return;
    if (asks(action)) setAsked({ action, rows: [first, ...others] });
    else void commands.runAll([first, ...others], action);
  };
  const toMe = (rows: readonly Row[]) => {
    if (person === "") {
      setNameless(true);
      return;
    }
    const fit = able("assign", rows);
    if (fit.length > 0) void commands.runAll(fit, "assign", { person });
  };
  const close = () => {
    if (open !== undefined) setMarked(open.id);
    go({ incident: null });
  };
  const key = (action: Action) => () => give(action, targets());
  useKeys({
    Escape: () => {
      if (chosen.ids.size > 0) chosen.clear();
      else if (route.incident !== null) close();
      else if (route.q !== "") go({ q: "" });
      else setMarked(null);
    },
    a: key("acknowledge"), A: key("unacknowledge"), h: key("hold"), s: key("snooze"), r: key("resolve"), g: key("assign"),
    m: () => toMe(targets()),
    c: () => {
      const row = cursor === null ? undefined : store.find(cursor);
      if (row === undefined) return;
      go({ incident: row.number });
      setCommenting(true);
    },
    l: () => {
      const row = cursor === null ? undefined : store.find(cursor);
      if (row !== undefined) void copyLink(row).then((ok) => commands.note(ok ? `Link to ${row.number} copied` : `Copy by hand: ${location.href}`));
    },
    "Ctrl+k": () => setPalette(true),
  });

  return (
    <main className={route.incident === null ? "work" : "work open"}>
      <Queue route={route} cursor={cursor} setCursor={setMarked} chosen={chosen} dead={dead} onGive={give} onToMe={toMe} />
      {route.incident !== null && loaded && (
        <Panel
          key={open?.id ?? route.incident} reference={open?.id ?? route.incident} row={open} dead={dead} onClose={close} onAsk={setAsked} onGive={give} onToMe={toMe}
          commenting={commenting} onCommenting={() => setCommenting(false)}
        />
      )}
      {asked !== null && <CommandDialog asked={asked} onClose={() => setAsked(null)} />}
      {nameless && <NameDialog onClose={() => setNameless(false)} />}
      {palette && <Palette rows={targets()} dead={dead} onGive={give} onToMe={toMe} onClose={() => setPalette(false)} />}
    </main>
  );
}
