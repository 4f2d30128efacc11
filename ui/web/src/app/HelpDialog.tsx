// All keys of the page.
import { Dialog } from "../lib/Dialog";

const keys: [string, string][] = [
  ["J ↓", "next incident"], ["K ↑", "incident before"], ["↵", "open the panel"], ["Esc", "close the panel, clear the filter"],
  ["A", "acknowledge"], ["Shift A", "take the acknowledgement back"], ["M", "assign to me"], ["G", "assign …"], ["H", "hold …"],
  ["S", "snooze …"], ["R", "resolve …"], ["C", "comment"], ["Z", "undo the last command"], ["N", "take in what waits"],
  ["P, Space", "pause, resume"], ["/", "filter"], ["T", "dark or light"], ["?", "this list"],
];

export function HelpDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" action="Close" onDone={onClose} onClose={onClose}>
      <dl className="keys2">
        {keys.map(([key, does]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{does}</dd></div>)}
      </dl>
    </Dialog>
  );
}
