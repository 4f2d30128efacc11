// The commands of an incident: the usual ones as buttons, the others behind More.
import { useEffect, useRef, useState } from "react";
import type { Action, Row } from "../api/model";
import { useKeys } from "../app/keys";
import { useCommandState } from "../app/context";
import { refusal } from "../lib/words";
import { actions } from "./actions";

export interface CommandBarProps {
  row: Row;
  dead: boolean;
  onGive: (action: Action, rows: readonly Row[]) => void;
  onToMe: (rows: readonly Row[]) => void;
  onSilence: () => void;
}

export const cutOff = "The server does not answer.";
export const underWay = "A command is under way.";

export function CommandBar({ row, dead, onGive, onToMe, onSilence }: CommandBarProps) {
  const { busy } = useCommandState();
  const why = (action: Action): string | null => (dead ? cutOff : busy.has(row.id) ? underWay : refusal(action, row));
  const give = (action: Action) => () => onGive(action, [row]);
  const ended = row.state === "resolved" || row.state === "closed" || row.state === "cancelled";
  return (
    <div className="cmd" role="toolbar" aria-label="Commands">
      {row.acknowledgedAt === null && !ended && <Button name="Acknowledge" hint="A" primary why={why("acknowledge")} onClick={give("acknowledge")} />}
      {ended && <Button name="Reopen" primary why={why("reopen")} onClick={give("reopen")} />}
      {row.state === "resolved" && <Button name="Close" why={why("close")} onClick={give("close")} />}
      {row.state === "on_hold" && <Button name="Resume" primary={row.acknowledgedAt !== null} why={why("resume")} onClick={give("resume")} />}
      <Button name="Assign to me" hint="M" why={why("assign")} onClick={() => onToMe([row])} />
      {!ended && row.state !== "on_hold" && <Button name="Hold" hint="H" why={why("hold")} onClick={give("hold")} />}
      {!ended && <Button name="Resolve" hint="R" primary={row.acknowledgedAt !== null && row.state !== "on_hold"} why={why("resolve")} onClick={give("resolve")} />}
      <More
        entries={[
          ...actions.slice(1).map((a) => ({ name: a.name, hint: a.key, why: why(a.action), run: give(a.action) })),
          { name: "Silence …", hint: undefined, why: dead ? cutOff : row.alertCounts.firing === 0 ? "Nothing fires in it." : null, run: onSilence },
        ]}
      />
    </div>
  );
}

interface ButtonProps {
  name: string;
  hint?: string;
  primary?: boolean;
  /** Why it cannot be done now. */
  why: string | null;
  onClick: () => void;
}

function Button({ name, hint, primary = false, why, onClick }: ButtonProps) {
  return (
    <button type="button" className={primary ? "btn primary" : "btn"} disabled={why !== null} title={why ?? undefined} onClick={onClick}>
      {name}{hint !== undefined && <> <kbd>{hint}</kbd></>}
    </button>
  );
}

interface MenuEntry {
  name: string;
  hint: string | undefined;
  why: string | null;
  run: () => void;
}

function More({ entries }: { entries: MenuEntry[] }) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  useKeys({ ".": () => setOpen(true) });
  useEffect(() => {
    if (!open) return;
    root.current?.querySelector<HTMLElement>("[role=menuitem]:not([aria-disabled=true])")?.focus();
    const outside = (e: PointerEvent) => {
      if (e.target instanceof Node && root.current?.contains(e.target) === false) setOpen(false);
    };
    addEventListener("pointerdown", outside);
    return () => removeEventListener("pointerdown", outside);
  }, [open]);
  const step = (by: number) => {
    const items = [...(root.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
    const at = items.findIndex((i) => i === document.activeElement);
    items[(at + by + items.length) % items.length]?.focus();
  };
  const close = () => {
    setOpen(false);
    opener.current?.focus();
  };
  return (
    // Esc and arrows are for whatever entry has the focus.
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions
    <div
      className="more" ref={root}
      onKeyDown={(e) => {
        if (!open) return;
        if (e.key === "ArrowDown" || e.key === "ArrowUp") step(e.key === "ArrowDown" ? 1 : -1);
        else if (e.key === "Escape" || e.key === "Tab") close();
        else return;
        e.preventDefault();
        e.stopPropagation();
      }}
    >
      <button ref={opener} type="button" className="btn" aria-haspopup="menu" aria-expanded={open} onClick={() => setOpen(!open)}>More <kbd>.</kbd></button>
      {open && (
        <div role="menu" className="menu" aria-label="More commands">
          {entries.map(({ name, hint, why, run }) => (
            <button
              key={name} type="button" role="menuitem" tabIndex={-1} aria-disabled={why !== null} title={why ?? undefined}
              onClick={() => {
                if (why !== null) return;
                close();
                run();
              }}
            >
              <span>{name}</span>{hint !== undefined && why === null && <kbd>{hint}</kbd>}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
