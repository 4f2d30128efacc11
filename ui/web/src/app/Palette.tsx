// The command bar: everything that can be done or gone to, found by typing.
import { useEffect, useId, useMemo, useRef, useState } from "react";
import type { Action, Row } from "../api/model";
import { tabs } from "../board/select";
import { bestCause, plural, refusal } from "../lib/words";
import { actions } from "../panel/actions";
import { cutOff } from "../panel/CommandBar";
import { useBoard } from "./context";
import { go } from "./route";

export interface PaletteProps {
  /** What a command would speak of. */
  rows: readonly Row[];
  dead: boolean;
  onGive: (action: Action, rows: readonly Row[]) => void;
  onToMe: (rows: readonly Row[]) => void;
  onClose: () => void;
}

interface Entry {
  group: string;
  name: string;
  hint?: string | undefined;
  /** Why it cannot be done now. */
  why?: string | null;
  run: () => void;
}

const maxIncidents = 20;

export function Palette({ rows, dead, onGive, onToMe, onClose }: PaletteProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const list = useId();
  const view = useBoard((s) => s.view);
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    return () => {
      element?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const entries = useMemo(() => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (e: Entry) => words.every((w) => `${e.name} ${e.group}`.toLowerCase().includes(w));
    const places: Entry[] = [
      ...tabs.map((t, i) => ({ group: "Tabs", name: t.name, hint: String((i + 1) % 10), run: () => go({ page: "incidents", tab: t.id }) })),
      { group: "Pages", name: "Alerts", run: () => go({ page: "alerts" }) },
      { group: "Pages", name: "Problems", run: () => go({ page: "problems" }) },
      { group: "Pages", name: "Patterns", run: () => go({ page: "patterns" }) },
      { group: "Pages", name: "Silences", run: () => go({ page: "silences" }) },
      { group: "Pages", name: "History", run: () => go({ page: "history" }) },
      { group: "Pages", name: "Sources", run: () => go({ page: "sources" }) },
      { group: "Pages", name: "Connect", run: () => go({ page: "connect" }) },
    ];
    const incidents = words.length === 0 ? [] : view.order.flatMap((id) => view.rows.get(id) ?? []).map((r): Entry => ({
      group: "Incidents", name: `${r.number} ${r.title}${bestCause(r) === undefined ? "" : `, ${bestCause(r)?.name}`}`, run: () => go({ page: "incidents", incident: r.number }),
    }));
    return [...commandsOf(rows, dead, onGive, onToMe).filter(fits), ...places.filter(fits), ...incidents.filter(fits).slice(0, maxIncidents)];
  }, [text, view, rows, dead, onGive, onToMe]);
  const now = Math.min(at, entries.length - 1);
  const run = (e: Entry | undefined) => {
    if (e === undefined || (e.why ?? null) !== null) return;
    onClose();
    e.run();
  };
  useEffect(() => {
    document.getElementById(`${list}-${now}`)?.scrollIntoView({ block: "nearest" });
  }, [list, now]);
  return (
    <dialog ref={dialog} className="palette" aria-label="Commands" onCancel={(e) => { e.preventDefault(); onClose(); }}>
      <input
        type="text" role="combobox" aria-expanded="true" aria-controls={list} aria-activedescendant={now < 0 ? undefined : `${list}-${now}`}
        aria-label="Command, tab or incident" placeholder="Command, tab or incident" value={text} spellCheck={false} autoComplete="off"
        onChange={(e) => {
          setText(e.target.value);
          setAt(0);
        }}
        onKeyDown={(e) => {
          if (e.key === "ArrowDown") setAt(Math.min(entries.length - 1, now + 1));
          else if (e.key === "ArrowUp") setAt(Math.max(0, now - 1));
          else if (e.key === "Enter") run(entries[now]);
          else return;
          e.preventDefault();
        }}
      />
      <div role="listbox" id={list} aria-label="Results">
        {entries.map((e, i) => (
          <div key={`${e.group}/${e.name}`} role="presentation">
            {e.group !== entries[i - 1]?.group && <p role="presentation">{e.group}</p>}
            {/* The keys are those of the field above, which keeps the focus. */}
            {/* eslint-disable-next-line jsx-a11y/click-events-have-key-events */}
            <div
              role="option" id={`${list}-${i}`} tabIndex={-1} aria-selected={i === now} aria-disabled={(e.why ?? null) !== null} title={e.why ?? undefined}
              onClick={() => run(e)}
            >
              <span className="clip">{e.name}</span>{e.hint !== undefined && <kbd>{e.hint}</kbd>}
            </div>
          </div>
        ))}
        {entries.length === 0 && <p>Nothing matches.</p>}
      </div>
    </dialog>
  );
}

function commandsOf(rows: readonly Row[], dead: boolean, onGive: PaletteProps["onGive"], onToMe: PaletteProps["onToMe"]): Entry[] {
  const [first] = rows;
  if (first === undefined) return [];
  const group = rows.length === 1 ? first.number : plural(rows.length, "incident");
  const why = (action: Action): string | null => (dead ? cutOff : rows.some((r) => refusal(action, r) === null) ? null : refusal(action, first));
  const all = actions.map((a): Entry => ({ group, name: a.name, hint: a.key, why: why(a.action), run: () => onGive(a.action, rows) }));
  const toMe: Entry = { group, name: "Assign to me", hint: "M", why: why("assign"), run: () => onToMe(rows) };
  return [...all.slice(0, 1), toMe, ...all.slice(1)].sort((a, b) => Number((a.why ?? null) !== null) - Number((b.why ?? null) !== null));
}
