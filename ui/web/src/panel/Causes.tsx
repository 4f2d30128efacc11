// The ranked causes, to confirm or reject.
import { useState } from "react";
import type { Cause, Incident, Row } from "../api/model";
import { useCommandState, useServices } from "../app/context";
import { ClassIcon, Icon } from "../lib/marks";
import { refusal } from "../lib/words";
import { cutOff } from "./CommandBar";
import { EvidenceList } from "./Why";

const shownAtFirst = 3;

export function Causes({ row, incident, dead }: { row: Row; incident: Incident | null; dead: boolean }) {
  const [all, setAll] = useState(false);
  const causes: (Cause | Row["causes"][number])[] = incident?.causes ?? row.causes;
  if (causes.length === 0) return null;
  const shown = all ? causes : causes.slice(0, shownAtFirst);
  return (
    <section className="sec">
      <h3>Causes
        {causes.length > shownAtFirst && (
          <button type="button" className="a end" aria-expanded={all} onClick={() => setAll(!all)}>{all ? `The first ${shownAtFirst}` : `All ${causes.length}`}</button>
        )}
      </h3>
      <ol>
        {shown.map((c, i) => <CauseLine key={`${c.item}/${c.change ?? ""}`} cause={c} rank={i + 1} row={row} dead={dead} />)}
      </ol>
    </section>
  );
}

interface CauseLineProps {
  cause: Cause | Row["causes"][number];
  rank: number;
  row: Row;
  dead: boolean;
}

function CauseLine({ cause, rank, row, dead }: CauseLineProps) {
  const { commands } = useServices();
  const { busy } = useCommandState();
  const [open, setOpen] = useState(false);
  const evidence = "evidence" in cause ? cause.evidence : [];
  const off = dead || busy.has(row.id) || refusal("confirm_cause", row) !== null;
  const judge = (action: "confirm_cause" | "reject_cause") => () =>
    void commands.run(row, action, cause.change === null ? { item: cause.item } : { change: cause.change });
  const operator = evidence.some((e) => e.kind === "operator");
  return (
    <li>
      <div className={rank === 1 ? "cl first" : "cl"}>
        <span className="rk">{rank}</span>
        <ClassIcon kind={cause.class} change={cause.change !== null} silent={!cause.reporting} />
        <button type="button" className="nm clip" aria-expanded={open} title="Its evidence" onClick={() => setOpen(!open)}>
          <b>{cause.name}</b> {!cause.reporting && <span className="muted">not itself reporting</span>}{cause.recovered && <span className="muted">recovered</span>}{cause.change !== null && <span className="muted">change</span>}
        </button>
        <span className="bar" aria-hidden="true"><i style={{ width: `${cause.score * 100}%` }} /></span>
        <span className="num ink">{cause.score.toFixed(2)}</span>
        <span className="judge">
          <button type="button" className="btn sm icon" aria-label={`Confirm ${cause.name} as the cause`} title={dead ? cutOff : "Confirm"} aria-pressed={operator} disabled={off} onClick={judge("confirm_cause")}><Icon name="tick" /></button>
          <button type="button" className="btn quiet sm icon" aria-label={`Reject ${cause.name} as the cause`} title={dead ? cutOff : "Reject"} disabled={off} onClick={judge("reject_cause")}><Icon name="cross" /></button>
        </span>
      </div>
      {open && <div className="more-ev"><EvidenceList evidence={evidence} />{evidence.length === 0 && <p className="muted">No evidence is kept for it.</p>}</div>}
    </li>
  );
}
