// The commands of an incident: the usual ones as buttons, the others behind More.
import { useEffect, useRef, useState } from "react";
import type { Action, Row } from "../api/model";
import { useCommandState, usePerson, useServices } from "../app/context";
import { refusal } from "../lib/words";
import type { Asked } from "./CommandDialog";

export interface CommandBarProps {
  row: Row;
  dead: boolean;
  onAsk: (asked: Asked) => void;
  onNameless: () => void;
}

export const cutOff = "The server does not answer.";

export function CommandBar({ row, dead, onAsk, onNameless }: CommandBarProps) {
  const { commands } = useServices();
  const { busy } = useCommandState();
  const person = usePerson();
  const why = (action: Action): string | null => (dead ? cutOff : busy.has(row.id) ? "A command is under way." : refusal(action, row));
  const run = (action: Action) => () => void commands.run(row, action);
  const ask = (action: Asked["action"]) => () => onAsk({ action, row });
  const toMe = () => {
    if (person === "") onNameless();
    else void commands.run(row, "assign", { person });
  };
  const ended = row.state === "resolved" || row.state === "closed" || row.state === "cancelled";
  return (
    <div className="cmd" role="toolbar" aria-label="Commands">
      {row.acknowledgedAt === null && !ended
        ? <Button name="Acknowledge" hint="A" primary why={why("acknowledge")} onClick={run("acknowledge")} />
        : null}
      {ended && <Button name="Reopen" primary why={why("reopen")} onClick={run("reopen")} />}
      {row.state === "resolved" && <Button name="Close" why={why("close")} onClick={ask("close")} />}
      {row.state === "on_hold" && <Button name="Resume" primary={row.acknowledgedAt !== null} why={why("resume")} onClick={run("resume")} />}
      <Button name="Assign to me" hint="M" why={why("assign")} onClick={toMe} />
      {!ended && row.state !== "on_hold" && <Button name="Hold" hint="H" why={why("hold")} onClick={ask("hold")} />}
      {!ended && <Button name="Resolve" hint="R" primary={row.acknowledgedAt !== null && row.state !== "on_hold"} why={why("resolve")} onClick={ask("resolve")} />}
      <More
        entries={[
          ["Start", why("start"), run("start")],
          ["Take acknowledgement back", why("unacknowledge"), run("unacknowledge")],
          ["Assign …", why("assign"), ask("assign")],
          ["Hold …", why("hold"), ask("hold")],
          ["Snooze …", why("snooze"), ask("snooze")],
          ["Set priority …", why("priority"), ask("priority")],
          ["Merge into …", why("merge"), ask("merge")],
          ["Resume", why("resume"), run("resume")],
          ["Reopen", why("reopen"), run("reopen")],
          ["Close incident …", why("close"), ask("close")],
          ["Cancel incident …", why("cancel"), ask("cancel")],
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

function More({ entries }: { entries: [name: string, why: string | null, run: () => void][] }) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
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
  return (
    // Esc and arrows are for whatever entry has the focus.
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions
    <div
      className="more" ref={root}
      onKeyDown={(e) => {
        if (!open) return;
        if (e.key === "ArrowDown" || e.key === "ArrowUp") step(e.key === "ArrowDown" ? 1 : -1);
        else if (e.key === "Escape") setOpen(false);
        else return;
        e.preventDefault();
        e.stopPropagation();
      }}
    >
      <button type="button" className="btn" aria-haspopup="menu" aria-expanded={open} onClick={() => setOpen(!open)}>More</button>
      {open && (
        <div role="menu" className="menu" aria-label="More commands">
          {entries.map(([name, why, run]) => (
            <button
              key={name} type="button" role="menuitem" aria-disabled={why !== null} title={why ?? undefined}
              onClick={() => {
                if (why !== null) return;
                setOpen(false);
                run();
              }}
            >
              {name}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
