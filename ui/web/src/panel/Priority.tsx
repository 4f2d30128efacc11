// Why the incident has its priority: what it hurts and how badly, what makes it urgent, and who decided otherwise.
import { useState } from "react";
import { getImpact, sentence } from "../api/client";
import type { HurtItem, PriorityExplained, Row } from "../api/model";
import { useLoad } from "../lib/load";
import { plural } from "../lib/words";

const pace = 2_000;

export function Priority({ row, version }: { row: Row; version: string }) {
  const [open, setOpen] = useState(false);
  return (
    <section className="sec">
      <h3>Priority {row.priority} <span className="muted">impact {row.impact}, urgency {row.urgency}</span>
        <button type="button" className="a end" aria-expanded={open} onClick={() => setOpen(!open)}>{open ? "Hide the reasons" : `Why priority ${row.priority}`}</button>
      </h3>
      {open && <Reasons id={row.id} version={version} />}
    </section>
  );
}

function Reasons({ id, version }: { id: string; version: string }) {
  const { value, error } = useLoad(id, version, pace, (signal) => getImpact(id, signal));
  if (error !== null) return <p className="oops" role="alert">{sentence(error)}</p>;
  if (value === null) return <p className="muted">Reading the reasons</p>;
  const { impact, urgency, priority } = value;
  return (
    <>
      <h4>Impact {impact.value}</h4>
      {impact.reasons.length === 0
        ? <p className="muted">It is about no item of the estate.</p>
        : <ul className="hurt" aria-label="What is hurt">{impact.reasons.map((h) => <HurtLine key={h.item} hurt={h} />)}</ul>}
      {impact.more > 0 && <p className="muted">and {plural(impact.more, "more item")}</p>}
      <h4>Urgency {urgency.value}</h4>
      <ul className="hurt" aria-label="What makes it urgent">{urgency.reasons.map((r) => <li key={r.text}><span className="wrap">{r.text}</span>{r.steps > 0 && <span className="when">one step more</span>}</li>)}</ul>
      <p className="say">{decided(priority)}</p>
    </>
  );
}

const states = { down: "down", degraded: "degraded", at_risk: "redundancy lost" };

function HurtLine({ hurt: h }: { hurt: HurtItem }) {
  return (
    <li>
      <span className={`harm ${h.state}`}>{states[h.state]}</span>
      <span className="wrap"><b>{h.name}</b> <span className="muted">{h.class}, criticality {h.criticality}, {h.reporting ? "says so itself" : h.path.length > 1 ? `by ${h.path.slice(0, -1).join(", ")}` : "says nothing"}</span></span>
      <span className="when">impact {h.impact}</span>
    </li>
  );
}

/** What the table says, and what a person made of it. */
function decided(p: PriorityExplained["priority"]): string {
  if (p.override === null) return `Together they give priority ${p.computed}.`;
  return `Together they would give priority ${p.computed}; a person has set ${p.override}, and that holds until it is given back.`;
}
