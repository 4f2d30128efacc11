// Why these alerts are one incident: the best cause and its evidence, each with its share.
import type { Evidence, Incident, Row } from "../api/model";
import { bestCause, plural } from "../lib/words";

export function Why({ row, incident }: { row: Row; incident: Incident | null }) {
  const best = incident === null ? undefined : bestCause(incident);
  const named = bestCause(row);
  const n = row.alertCounts.total;
  return (
    <section className="sec">
      <h3>Why <span className="muted">{n === 1 ? "this alert is an incident" : `these ${plural(n, "alert")} belong together`}</span>
        {named !== undefined && <span className="end muted">cause <b>{named.score.toFixed(2)}</b></span>}
      </h3>
      {named === undefined
        ? <p className="say">No cause stands out yet.</p>
        : (
          <p className="say"><b>{named.name} is the probable cause.</b>{" "}
            {named.change !== null ? `It is a change: ${named.change}.` : named.reporting ? "It reports itself." : <>It is <span className="nowrap">not itself reporting</span>.</>}
          </p>
        )}
      {best !== undefined && "evidence" in best && <EvidenceList evidence={best.evidence} />}
    </section>
  );
}

/** One bar of all shares, and a line for each. */
export function EvidenceList({ evidence }: { evidence: readonly Evidence[] }) {
  if (evidence.length === 0) return null;
  const sum = evidence.reduce((s, e) => s + e.weight, 0) || 1;
  const sorted = [...evidence].sort((a, b) => b.weight - a.weight);
  return (
    <>
      <div className="share" aria-hidden="true">
        {sorted.map((e, i) => <i key={i} className={`e${Math.min(i + 1, 5)}`} style={{ flexGrow: e.weight / sum }} />)}
      </div>
      <ul className="ev">
        {sorted.map((e, i) => (
          <li key={i}>
            <span className={`k e${Math.min(i + 1, 5)}`} aria-hidden="true" /><span className="kind">{e.kind}</span><span>{e.text}</span>
            <span className="sh" title="Its share of the score">{(e.weight / sum).toFixed(2)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}
