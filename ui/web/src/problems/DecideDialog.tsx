// The decisions on candidates that need a word: dismiss, suppress, fixed.
import { useState } from "react";
import type { Candidate } from "../api/model";
import { Dialog, Field } from "../lib/Dialog";
import { fieldTime } from "../lib/time";
import { inMinutes, Until } from "../lib/Until";
import { plural } from "../lib/words";
import type { Body, Verb } from "./words";

export type Asked = Exclude<Verb, "accept" | "reopen">;

const titles: Record<Asked, string> = { dismiss: "Dismiss", suppress: "Suppress", fixed: "The fix is in place" };
const says: Record<Asked, string> = {
  dismiss: "It is no problem. It is not proposed again while it goes on.",
  suppress: "It is not proposed before a time.",
  fixed: "From then on the incidents are compared with those before it.",
};

export interface DecideDialogProps {
  verb: Asked;
  of: readonly Candidate[];
  onDone: (body: Body) => void;
  onClose: () => void;
}

export function DecideDialog({ verb, of, onDone, onClose }: DecideDialogProps) {
  const [reason, setReason] = useState("");
  const [until, setUntil] = useState(() => inMinutes(7 * 1440));
  const [since, setSince] = useState(() => fieldTime(new Date()));
  const end = new Date(until);
  const begin = new Date(since);
  const missing = verb === "dismiss" && reason.trim() === "" ? "Say why."
    : verb === "suppress" && !(end > new Date()) ? "The time must be in the future."
      : verb === "fixed" && !(begin <= new Date()) ? "The time must be in the past." : null;
  const done = () => onDone({
    ...(reason.trim() === "" ? {} : { reason: reason.trim() }),
    ...(verb === "suppress" ? { until: end.toISOString() } : {}),
    ...(verb === "fixed" ? { fixedAt: begin.toISOString() } : {}),
  });
  return (
    <Dialog title={titles[verb]} action={titles[verb]} missing={missing} onDone={done} onClose={onClose}>
      <p className="of">{of.length === 1 ? of[0]?.title : plural(of.length, "candidate")}. {says[verb]}</p>
      {verb === "suppress" && <Until label="Until" hint="Then the rules decide anew." value={until} onChange={setUntil} />}
      {verb === "fixed" && <Field label="Since" hint="In the last 30 days."><input type="datetime-local" value={since} onChange={(e) => setSince(e.target.value)} /></Field>}
      <Field label={verb === "fixed" ? "What was done" : "Why"}><textarea data-first rows={2} value={reason} onChange={(e) => setReason(e.target.value)} /></Field>
    </Dialog>
  );
}
