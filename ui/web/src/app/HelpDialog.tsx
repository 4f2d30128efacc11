// All keys of the page.
import { Dialog } from "../lib/Dialog";

const keys: [string, string][] = [
  ["↑ ↓, K J", "move"], ["↵", "open the panel"], ["Esc", "clear, close"], ["X", "select"], ["Shift ↑ ↓", "select a range"],
  ["Ctrl A", "select all that match"], ["1 … 9, 0", "tabs"], ["/", "filter"], ["N", "take in what waits"], ["P", "pause, resume"],
  ["A", "acknowledge"], ["Shift A", "take it back"], ["M", "assign to me"], ["G", "assign …"], ["H", "hold …"], ["S", "snooze …"],
  ["R", "resolve …"], ["C", "comment"], [".", "more commands"], ["Z", "undo the last command"], ["L", "copy link"],
  ["Ctrl K", "command bar"], ["F6", "next region"], ["T", "theme"], ["?", "this list"],
];

export function HelpDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" action="Close" plain onDone={onClose} onClose={onClose}>
      <dl className="keys2">
        {keys.map(([key, does]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{does}</dd></div>)}
      </dl>
    </Dialog>
  );
}
