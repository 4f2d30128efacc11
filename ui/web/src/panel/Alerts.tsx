// The alerts of the incident, each with a box to split or move it by.
import { useMemo, useState } from "react";
import { getIncidentAlerts, sentence } from "../api/client";
import type { Alert, Incident, Row } from "../api/model";
import { useCommandState, useNow, useServices } from "../app/context";
import { SeverityMark } from "../lib/marks";
import { age } from "../lib/time";
import { figure, plural, refusal } from "../lib/words";
import { AlertDetails, alertItem, AlertLinks, alertName } from "./AlertDetails";
import { cutOff } from "./CommandBar";
import type { Asked } from "./CommandDialog";

export interface AlertsProps {
  incident: Incident;
  row: Row;
  dead: boolean;
  onAsk: (asked: Asked) => void;
}

export function Alerts({ incident, row, dead, onAsk }: AlertsProps) {
  const { commands } = useServices();
  const { busy } = useCommandState();
  const { alerts, next, error, more, loading } = usePages(incident);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  // An alert that has left the incident is not chosen any more.
  const picked = alerts.filter((a) => chosen.has(a.fingerprint)).map((a) => a.fingerprint);
  const choose = (fingerprint: string, on: boolean) => {
    const all = new Set(picked);
    if (on) all.add(fingerprint);
    else all.delete(fingerprint);
    setChosen(all);
  };
  const why = dead ? cutOff : busy.has(row.id) ? "A command is under way." : refusal("split", row);
  const off = why ?? (picked.length === 0 ? "Choose alerts first." : null);
  const everyone = picked.length === row.alertCounts.total ? "An incident cannot be split off whole." : null;
  const counts = row.alertCounts;
  return (
    <section className="sec">
      <h3>Alerts
        <span className="muted">
          {figure(counts.firing)} firing{counts.resolved > 0 && `, ${figure(counts.resolved)} resolved`}{counts.expired > 0 && `, ${figure(counts.expired)} expired`}
          {counts.suppressed > 0 && `, ${figure(counts.suppressed)} suppressed`}
        </span>
        <span className="end">
          <button
            type="button" className="btn sm" disabled={off !== null || everyone !== null} title={off ?? everyone ?? "Make an incident of their own of the chosen alerts"}
            onClick={() => void commands.run(row, "split", { alerts: picked }).then((ok) => ok && setChosen(new Set()))}
          >
            Split{picked.length > 0 && ` ${picked.length}`}
          </button>
          <button type="button" className="btn sm" disabled={off !== null} title={off ?? "Move the chosen alerts to another incident"} onClick={() => onAsk({ action: "move", rows: [row], alerts: picked })}>
            Move …
          </button>
        </span>
      </h3>
      <ul>
        {alerts.map((a) => <AlertLine key={a.fingerprint} alert={a} chosen={chosen.has(a.fingerprint)} onChoose={choose} />)}
      </ul>
      {error !== null && <p className="oops" role="alert">{sentence(error)}</p>}
      {next !== null && (
        <button type="button" className="btn sm wide" disabled={loading} onClick={more}>
          Show more, {plural(Math.max(0, counts.total - alerts.length), "alert")} left
        </button>
      )}
    </section>
  );
}

interface Pages {
  alerts: readonly Alert[];
  next: string | null;
  error: unknown;
  loading: boolean;
  more: () => void;
}

/** The first alerts come with the incident, those after them page by page. */
function usePages(incident: Incident): Pages {
  const [later, setLater] = useState<{ alerts: Alert[]; next: string | null } | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [loading, setLoading] = useState(false);
  const next = later === null ? incident.alertsNext : later.next;
  const alerts = useMemo(() => {
    if (later === null) return incident.alerts;
    const first = new Set(incident.alerts.map((a) => a.fingerprint));
    return [...incident.alerts, ...later.alerts.filter((a) => !first.has(a.fingerprint))];
  }, [incident, later]);
  const more = () => {
    if (next === null) return;
    setLoading(true);
    getIncidentAlerts(incident.id, { limit: 200, cursor: next })
      .then(
        (page) => {
          setLater({ alerts: [...(later?.alerts ?? []), ...page.alerts], next: page.next });
          setError(null);
        },
        (e: unknown) => setError(e),
      )
      .finally(() => setLoading(false));
  };
  return { alerts, next, error, loading, more };
}

interface AlertLineProps {
  alert: Alert;
  chosen: boolean;
  onChoose: (fingerprint: string, on: boolean) => void;
}

function AlertLine({ alert: a, chosen, onChoose }: AlertLineProps) {
  const now = useNow();
  const [open, setOpen] = useState(false);
  const name = alertName(a);
  const item = alertItem(a);
  const over = a.status !== "firing";
  return (
    <li className={over || a.suppressed !== null ? "over" : ""}>
      <div className="al">
        <input type="checkbox" checked={chosen} aria-label={`Choose ${name} ${item}`} onChange={(e) => onChoose(a.fingerprint, e.target.checked)} />
        <SeverityMark severity={a.severity} wordless />
        <button type="button" className="an" aria-expanded={open} title="Labels and evidence" onClick={() => setOpen(!open)}>
          <span className="nm">{name}</span><span className="it">{item}</span>
        </button>
        <span className="num muted" title={a.status}>{over ? a.status : a.suppressed !== null ? "suppressed" : age(now - Date.parse(a.lastStartsAt))}</span>
        <AlertLinks alert={a} />
      </div>
      {open && <AlertDetails alert={a} />}
    </li>
  );
}
