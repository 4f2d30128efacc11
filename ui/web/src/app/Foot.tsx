// The line at the bottom: what came of the last command, keys, figures.
import { useEffect } from "react";
import { figure } from "../lib/words";
import type { Message } from "../store/commands";
import { useBoard, useCommandState, useServices } from "./context";
import type { Page } from "./route";

// So long the foot line offers to take a command back; what was refused stays until it is read.
const undoFor = 12_000;

const keys: Record<Page, [keys: string[], does: string][]> = {
  incidents: [[["↑", "↓"], "move"], [["↵"], "open"], [["X"], "select"], [["A"], "acknowledge"], [["Ctrl K"], "commands"], [["?"], "all keys"]],
  alerts: [[["↑", "↓"], "move"], [["↵"], "open"], [["/"], "filter"], [["?"], "all keys"]],
  problems: [[["↑", "↓"], "move"], [["X"], "select"], [["A"], "accept"], [["D"], "dismiss"], [["S"], "suppress"], [["F"], "fixed"], [["?"], "all keys"]],
  patterns: [[["Ctrl K"], "commands"], [["?"], "all keys"]],
  silences: [[["Ctrl K"], "commands"], [["?"], "all keys"]],
  history: [[["↑", "↓"], "move"], [["↵"], "open"], [["Esc"], "back"], [["/"], "filter"], [["N"], "refresh"], [["?"], "all keys"]],
  sources: [[["↑", "↓"], "move"], [["Esc"], "back"], [["Ctrl K"], "commands"], [["?"], "all keys"]],
  connect: [[["Ctrl K"], "commands"], [["?"], "all keys"]],
};

export function Foot({ page }: { page: Page }) {
  const counts = useBoard((s) => s.counts);
  const { message } = useCommandState();
  return (
    <footer className="foot">
      {message !== null && <Toast key={message.at} message={message} />}
      <span className="keys" aria-hidden="true">
        {keys[page].map(([names, does]) => <span key={does}>{names.map((name) => <kbd key={name}>{name}</kbd>)}{does}</span>)}
      </span>
      {counts !== null && (
        <span className="cnt">
          <span>Firing <b>{figure(counts.alertsFiring)}</b></span>
          <span>Suppressed <b>{figure(counts.suppressed)}</b></span>
          <span>Unbound <b>{figure(counts.unbound)}</b></span>
          <span>Refused <b>{figure(counts.refused)}</b></span>
        </span>
      )}
    </footer>
  );
}

function Toast({ message }: { message: Message }) {
  const { commands } = useServices();
  const { busy } = useCommandState();
  const passes = message.kind === "done" || message.kind === "pending";
  useEffect(() => {
    if (!passes) return;
    const timer = setTimeout(() => commands.dismiss(), undoFor);
    return () => clearTimeout(timer);
  }, [commands, passes]);
  const { undo } = message;
  return (
    <div className={`toast ${message.kind}`} role={passes ? "status" : "alert"}>
      {passes && <span className="left" style={{ animationDuration: `${undoFor}ms` }} aria-hidden="true" />}
      <span className="clip" title={message.text}>{message.text}</span>
      {undo.length > 0 && !undo.some((u) => busy.has(u.id)) && (
        <button type="button" onClick={() => void commands.undo()}>Undo <kbd>Z</kbd></button>
      )}
      {!passes && <button type="button" onClick={() => commands.dismiss()}>Close</button>}
    </div>
  );
}
