// Makes a silence, or changes one.
import { useState } from "react";
import { postSilence, sentence } from "../api/client";
import type { SilenceMatcher } from "../api/model";
import { usePerson, useServices } from "../app/context";
import { Dialog, Field } from "../lib/Dialog";
import { until as untilWords } from "../lib/time";
import { inMinutes, Until } from "../lib/Until";
import { readMatchers, writeMatchers } from "./matchers";

/** What stands in the dialog at first. */
export interface SilenceDraft {
  /** Of the silence to change; empty: a new one. */
  id: string;
  /** When it begins; empty: at once. */
  startsAt: string;
  matchers: readonly SilenceMatcher[];
  /** The value of a datetime-local field; empty: two hours from now. */
  until: string;
  comment: string;
  /** Other matchers to choose from, with their names. */
  choices?: readonly [name: string, matchers: readonly SilenceMatcher[]][];
}

export const newSilence: SilenceDraft = { id: "", startsAt: "", matchers: [], until: "", comment: "" };

export interface SilenceDialogProps {
  draft: SilenceDraft;
  onClose: () => void;
  /** It is in force. */
  onDone?: () => void;
}

export function SilenceDialog({ draft, onClose, onDone }: SilenceDialogProps) {
  const { commands, person } = useServices();
  const me = usePerson();
  const [text, setText] = useState(() => writeMatchers(draft.matchers));
  const [until, setUntil] = useState(() => (draft.until === "" ? inMinutes(120) : draft.until));
  const [by, setBy] = useState(me);
  const [comment, setComment] = useState(draft.comment);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const matchers = readMatchers(text);
  const end = new Date(until);
  const missing = typeof matchers === "string" ? matchers
    : Number.isNaN(end.getTime()) || end <= new Date() ? "The time must be in the future."
      : by.trim() === "" ? "Say who you are." : comment.trim() === "" ? "Say why." : null;
  const done = () => {
    if (typeof matchers === "string") return;
    setBusy(true);
    postSilence({
      id: draft.id, matchers, startsAt: draft.startsAt === "" ? new Date().toISOString() : draft.startsAt, endsAt: end.toISOString(),
      createdBy: by.trim(), comment: comment.trim(),
    }).then(
      () => {
        if (me === "") person.set(by.trim());
        commands.note(`Silenced until ${untilWords(end.toISOString(), new Date())}`);
        onDone?.();
        onClose();
      },
      (e: unknown) => {
        setError(e);
        setBusy(false);
      },
    );
  };
  return (
    <Dialog title={draft.id === "" ? "Silence alerts" : "Change the silence"} action={draft.id === "" ? "Silence" : "Change"} missing={missing} busy={busy} onDone={done} onClose={onClose}>
      <p className="of">Alerts that match are marked as suppressed. They stay in their incident, and are counted.</p>
      <Field label="Matchers" hint='One a line, all of them must hold, such as alertname="HostDown" or instance=~"host-[ab].*". incident="INC-000001" is a whole incident.'>
        <textarea className="mono" rows={Math.min(8, Math.max(3, text.split("\n").length))} spellCheck={false} value={text} onChange={(e) => setText(e.target.value)} />
      </Field>
      {draft.choices !== undefined && draft.choices.length > 1 && (
        <div className="choices">
          {draft.choices.map(([name, list]) => <button key={name} type="button" className="btn sm" onClick={() => setText(writeMatchers(list))}>{name}</button>)}
        </div>
      )}
      <Until label="Until" hint="It ends by itself." value={until} onChange={setUntil} />
      <Field label="By"><input value={by} onChange={(e) => setBy(e.target.value)} /></Field>
      <Field label="Why"><textarea rows={2} value={comment} onChange={(e) => setComment(e.target.value)} /></Field>
      {error !== null && <p className="oops" role="alert">{sentence(error)}</p>}
    </Dialog>
  );
}
