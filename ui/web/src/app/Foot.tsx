// The line at the bottom: what came of the last command, keys, figures.
import { useEffect } from "react";
import { figure } from "../lib/words";
import type { Message } from "../store/commands";
import { useBoard, useCommandState, useServices } from "./context";

// So long the foot line offers to take a command back; what was refused stays until it is read.
const undoFor = 12_000;

export function Foot() {
  const counts = useBoard((s) => s.counts);
  const { message } = useCommandState();
  return (
    <footer className="foot">
      {message !== null && <Toast key={message.at} message={message} />}
      <span className="keys" aria-hidden="true">
        <span><kbd>J</kbd><kbd>K</kbd>move</span><span><kbd>↵</kbd>open</span><span><kbd>A</kbd>acknowledge</span>
        <span><kbd>/</kbd>filter</span><span><kbd>P</kbd>pause</span><span><kbd>?</kbd>all keys</span>
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
      {undo !== null && !busy.has(undo.id) && (
        <button type="button" onClick={() => void commands.undo()}>Undo <kbd>Z</kbd></button>
      )}
      {!passes && <button type="button" onClick={() => commands.dismiss()}>Close</button>}
    </div>
  );
}
