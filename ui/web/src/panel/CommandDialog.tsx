// The dialogs of commands that need something typed or chosen.
import { useMemo, useState } from "react";
import type { Row } from "../api/model";
import { useBoard, useCommandState, usePerson, useServices } from "../app/context";
import { Dialog, Field } from "../lib/Dialog";
import { SeverityMark } from "../lib/marks";
import { compareRows } from "../store/order";
import { Until } from "../lib/Until";
import { plural } from "../lib/words";
import { type DialogAction, fill, noValues, type Values } from "./form";

/** A command that waits for what it needs. */
export interface Asked {
  action: DialogAction;
  rows: readonly [Row, ...Row[]];
  /** The alerts to move. */
  alerts?: string[];
}

const names: Record<DialogAction, string> = {
  hold: "Hold", snooze: "Snooze", assign: "Assign", priority: "Set priority", resolve: "Resolve", close: "Close incident",
  cancel: "Cancel incident", merge: "Merge", move: "Move",
};

/** What stands in the fields at first: what all the incidents have in common, and the survivor of a merge. */
function begin({ action, rows, alerts }: Asked): Values {
  const common = (of: (row: Row) => string | null): string => (new Set(rows.map(of)).size === 1 ? (of(rows[0]) ?? "") : "");
  return {
    ...noValues, team: common((r) => r.team), person: common((r) => r.assignee), alerts: alerts ?? [],
    priority: common((r) => (r.priorityOverride === null ? null : String(r.priorityOverride))),
    incident: action === "merge" && rows.length > 1 ? bySize(rows)[0]?.id ?? "" : "",
  };
}

const bySize = (rows: readonly Row[]): Row[] => [...rows].sort((a, b) => b.alertCounts.total - a.alertCounts.total || compareRows(a, b));

interface FieldsProps {
  asked: Asked;
  values: Values;
  set: (part: Partial<Values>) => void;
}

export function CommandDialog({ asked, onClose }: { asked: Asked; onClose: () => void }) {
  const { commands } = useServices();
  const { busy } = useCommandState();
  const [values, setValues] = useState(() => begin(asked));
  const { action, rows } = asked;
  const filled = fill(action, values, new Date());
  const done = () => {
    if (!("body" in filled)) return;
    // The revision that the person saw is that of when the dialog was opened.
    void commands.runAll(rows.filter((r) => action !== "merge" || r.id !== values.incident), action, filled.body);
    onClose();
  };
  const [first] = rows;
  return (
    <Dialog
      title={`${names[action]}: ${rows.length === 1 ? first.number : plural(rows.length, "incident")}`} action={names[action]}
      missing={"missing" in filled ? filled.missing : null} busy={rows.some((r) => busy.has(r.id))} onDone={done} onClose={onClose}
    >
      <p className="of">{rows.length === 1 ? first.title : rows.map((r) => r.number).join(", ")}</p>
      <Fields asked={asked} values={values} set={(part) => setValues((v) => ({ ...v, ...part }))} />
      <Field label="Comment" hint="Optional; stands in the history.">
        <textarea rows={2} value={values.comment} onChange={(e) => setValues((v) => ({ ...v, comment: e.target.value }))} />
      </Field>
    </Dialog>
  );
}

function Fields(p: FieldsProps) {
  switch (p.asked.action) {
    case "hold":
      return (
        <>
          <Field label="What it waits for"><input value={p.values.reason} placeholder="Vendor, spare part, change window …" onChange={(e) => p.set({ reason: e.target.value })} /></Field>
          <Until label="Until" hint="Optional; then it goes on by itself." value={p.values.until} onChange={(until) => p.set({ until })} />
        </>
      );
    case "snooze":
      return <Until label="Until" hint="It comes back by itself." value={p.values.until} onChange={(until) => p.set({ until })} />;
    case "assign":
      return <AssignFields {...p} />;
    case "priority":
      return <PriorityFields {...p} />;
    case "resolve":
      return <ResolveFields {...p} />;
    case "merge":
      return <IncidentField {...p} label={p.asked.rows.length === 1 ? "Merge into" : "Choose the one that stays."} />;
    case "move":
      return <IncidentField {...p} label={`Move ${plural(p.values.alerts.length, "alert")} to`} />;
    case "close":
      return <p>It leaves the board.</p>;
    case "cancel":
      return <p>It leaves the board as one that should not have been opened.</p>;
  }
}

function AssignFields({ values, set }: FieldsProps) {
  const view = useBoard((s) => s.view);
  const me = usePerson();
  const known = useMemo(() => {
    const people = new Set(me === "" ? [] : [me]);
    const teams = new Set<string>();
    for (const row of view.rows.values()) {
      for (const name of [row.assignee, row.acknowledgedBy]) if (name !== null) people.add(name);
      if (row.team !== null) teams.add(row.team);
    }
    return { people: [...people].sort(), teams: [...teams].sort() };
  }, [view, me]);
  return (
    <>
      <Field label="Person"><input list="people" value={values.person} onChange={(e) => set({ person: e.target.value })} /></Field>
      <Field label="Team" hint="Empty: nobody."><input list="teams" value={values.team} onChange={(e) => set({ team: e.target.value })} /></Field>
      <datalist id="people">{known.people.map((n) => <option key={n} value={n} />)}</datalist>
      <datalist id="teams">{known.teams.map((n) => <option key={n} value={n} />)}</datalist>
    </>
  );
}

function PriorityFields({ values, set }: FieldsProps) {
  return (
    <>
      <fieldset className="field">
        <legend>Priority</legend>
        <div className="choices">
          {["1", "2", "3", "4", "5", ""].map((n) => (
            <label key={n} className="radio">
              <input type="radio" name="priority" checked={values.priority === n} onChange={() => set({ priority: n })} />{n === "" ? "Computed" : `P${n}`}
            </label>
          ))}
        </div>
      </fieldset>
      <Field label="Reason"><input value={values.reason} onChange={(e) => set({ reason: e.target.value })} /></Field>
    </>
  );
}

const codes = ["fixed", "workaround", "recovered by itself", "change rolled back", "duplicate", "false alarm"];

function ResolveFields({ values, set }: FieldsProps) {
  return (
    <>
      <Field label="Code" hint="One of these, or your own."><input data-first list="codes" value={values.code} onChange={(e) => set({ code: e.target.value })} /></Field>
      <datalist id="codes">{codes.map((c) => <option key={c} value={c} />)}</datalist>
      <Field label="Notes"><textarea rows={3} value={values.notes} placeholder="What it was, what was done" onChange={(e) => set({ notes: e.target.value })} /></Field>
    </>
  );
}

// So many incidents can be chosen from at once; typing narrows them.
const maxChoices = 50;

function IncidentField({ asked, values, set, label }: FieldsProps & { label: string }) {
  const view = useBoard((s) => s.view);
  const [text, setText] = useState("");
  const { rows } = asked;
  const among = rows.length > 1;
  const choices = useMemo(() => {
    const words = text.toLowerCase().split(/\s+/);
    const others = view.order.flatMap((id) => (id === rows[0].id ? [] : view.rows.get(id) ?? [])).filter((r) => r.mergedInto === null);
    return (among ? bySize(rows) : others)
      .filter((r) => words.every((w) => `${r.number} ${r.title} ${r.causes[0]?.name ?? ""}`.toLowerCase().includes(w)))
      .slice(0, maxChoices);
  }, [view, text, rows, among]);
  return (
    <>
      {among
        ? <p><b>{label}</b> It takes in the alerts of {rows.length === 2 ? "the other one" : `the ${rows.length - 1} others`}.</p>
        : <Field label={label}><input value={text} placeholder="Number, title or cause" onChange={(e) => setText(e.target.value)} /></Field>}
      <div className="choose" role="radiogroup" aria-label={label}>
        {choices.map((r) => (
          <label key={r.id} className="choice">
            <input type="radio" name="incident" checked={values.incident === r.id} onChange={() => set({ incident: r.id })} />
            <SeverityMark severity={r.severity} wordless /><span className="c-no">{r.number}</span><span className="clip">{r.title}</span><span className="grow" /><span className="muted num">{plural(r.alertCounts.total, "alert")}</span>
          </label>
        ))}
        {choices.length === 0 && <p className="muted">No other incident on the board matches.</p>}
      </div>
    </>
  );
}
