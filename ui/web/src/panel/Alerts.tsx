// The alerts of the incident by name, each with a box to split or move it by.
import { useEffect, useMemo, useRef, useState } from "react";
import { getIncidentAlerts, sentence } from "../api/client";
import type { Alert, Incident, Row } from "../api/model";
import { useBoardNow, useCommandState, useServices } from "../app/context";
import { useLoad } from "../lib/load";
import { Icon, SeverityMark } from "../lib/marks";
import { age, clock } from "../lib/time";
import { figure, plural, refusal, suppressedWord } from "../lib/words";
import { AlertDetails, alertItem, AlertLinks } from "./AlertDetails";
import { cutOff, underWay } from "./CommandBar";
import type { Asked } from "./CommandDialog";
import { type AlertGroup, alertName, arrivalSpan, groupAlerts } from "./groups";

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
  const groups = useMemo(() => groupAlerts(alerts), [alerts]);
  // An alert that has left the incident is not chosen any more.
  const picked = alerts.filter((a) => chosen.has(a.fingerprint)).map((a) => a.fingerprint);
  const choose = (fingerprints: readonly string[], on: boolean) => {
    const all = new Set(picked);
    for (const f of fingerprints) {
      if (on) all.add(f);
      else all.delete(f);
    }
    setChosen(all);
  };
  const why = dead ? cutOff : busy.has(row.id) ? underWay : refusal("split", row);
  const off = why ?? (picked.length === 0 ? "Choose alerts first." : null);
  const whole = picked.length === row.alertCounts.total ? "An incident cannot be split off whole." : null;
  return (
    <section className="sec">
      <h3>Alerts
        <span className="muted">{summary(row, groups.length, alerts)}</span>
        <span className="end">
          <button
            type="button" className="btn sm" disabled={off !== null || whole !== null} title={off ?? whole ?? "Make an incident of their own of the chosen alerts"}
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
        {groups.map((g) => {
          const [only] = g.alerts;
          return g.alerts.length === 1 && only !== undefined
            ? <AlertLine key={g.name} alert={only} named chosen={chosen.has(only.fingerprint)} onChoose={choose} />
            : <GroupLine key={g.name} group={g} alone={groups.length === 1} chosen={chosen} onChoose={choose} />;
        })}
      </ul>
      {error !== null && <p className="oops" role="alert">{sentence(error)}</p>}
      {next !== null && (
        <button type="button" className="btn sm wide" disabled={loading} onClick={more}>
          Show more, {plural(Math.max(0, row.alertCounts.total - alerts.length), "alert")} left
        </button>
      )}
    </section>
  );
}

function summary(row: Row, kinds: number, alerts: readonly Alert[]): string {
  const { firing, resolved, expired, suppressed, maintenance } = row.alertCounts;
  const span = arrivalSpan(alerts);
  const counts: [number, string][] = [[resolved, "resolved"], [expired, "expired"], [suppressed, "suppressed"], [maintenance, "under maintenance"]];
  return [
    `${figure(firing)} firing`, ...counts.flatMap(([n, word]) => (n > 0 ? [`${figure(n)} ${word}`] : [])),
    ...(kinds > 1 ? [`${kinds} kinds`] : []),
    ...(span !== null && span.to - span.from >= 60_000 ? [`${clock(new Date(span.from)).slice(0, 5)} to ${clock(new Date(span.to)).slice(0, 5)}`] : []),
  ].join(", ");
}

interface Pages {
  alerts: readonly Alert[];
  next: string | null;
  error: unknown;
  loading: boolean;
  more: () => void;
}

// The API gives so many at once; a larger incident is read on at request.
const pageSize = 1000;
const pace = 3_000;

/** The first alerts come with the incident. When it has more, a whole page is read, so that the counts of names are true. */
function usePages(incident: Incident): Pages {
  const partial = incident.alertsNext !== null;
  const page = useLoad(incident.id, partial ? String(incident.revision) : "", pace, async (signal) =>
    (partial ? getIncidentAlerts(incident.id, { limit: pageSize }, signal) : null));
  const [later, setLater] = useState<{ alerts: Alert[]; next: string | null } | null>(null);
  const [failed, setFailed] = useState<unknown>(null);
  const [loading, setLoading] = useState(false);
  const first = partial ? page.value : null;
  const alerts = useMemo(() => {
    const start = first?.alerts ?? incident.alerts;
    if (later === null) return start;
    const known = new Set(start.map((a) => a.fingerprint));
    return [...start, ...later.alerts.filter((a) => !known.has(a.fingerprint))];
  }, [first, incident, later]);
  const next = later !== null ? later.next : first === null ? null : first.next;
  const more = () => {
    if (next === null) return;
    setLoading(true);
    getIncidentAlerts(incident.id, { limit: pageSize, cursor: next })
      .then(
        (read) => {
          setLater({ alerts: [...(later?.alerts ?? []), ...read.alerts], next: read.next });
          setFailed(null);
        },
        (e: unknown) => setFailed(e),
      )
      .finally(() => setLoading(false));
  };
  return { alerts, next, error: failed ?? page.error, more, loading };
}

interface GroupLineProps {
  group: AlertGroup;
  /** There is no other group. */
  alone: boolean;
  chosen: ReadonlySet<string>;
  onChoose: (fingerprints: readonly string[], on: boolean) => void;
}

function GroupLine({ group: g, alone, chosen, onChoose }: GroupLineProps) {
  const [open, setOpen] = useState(alone && g.alerts.length <= 5);
  const [first] = g.alerts;
  const picked = g.alerts.filter((a) => chosen.has(a.fingerprint)).length;
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (box.current !== null) box.current.indeterminate = picked > 0 && picked < g.alerts.length;
  }, [picked, g.alerts.length]);
  return (
    <li className={g.firing === 0 ? "over" : ""}>
      <div className="al">
        <input
          ref={box} type="checkbox" checked={picked === g.alerts.length} aria-label={`Choose all ${g.alerts.length} ${g.name}`}
          onChange={(e) => onChoose(g.alerts.map((a) => a.fingerprint), e.target.checked)}
        />
        <SeverityMark severity={g.severity} wordless />
        <button type="button" className="an" aria-expanded={open} title="Show each of them" onClick={() => setOpen(!open)}>
          <span className="nm">{g.name}</span>
        </button>
        <span className="num ink">{figure(g.alerts.length)}</span>
        <Arrivals bars={g.arrivals} />
        {first === undefined ? <span /> : <AlertLinks alert={first} />}
      </div>
      {open && <ul className="each">{g.alerts.map((a) => <AlertLine key={a.fingerprint} alert={a} chosen={chosen.has(a.fingerprint)} onChoose={onChoose} />)}</ul>}
    </li>
  );
}

/** When they began, as small bars over the time of all alerts of the incident. */
function Arrivals({ bars }: { bars: readonly number[] }) {
  const most = Math.max(1, ...bars);
  return (
    <svg className="sp" viewBox="0 0 92 14" aria-hidden="true">
      {bars.map((n, i) => {
        const height = n === 0 ? 1 : Math.max(2, (n / most) * 14);
        return <rect key={i} className={n === 0 ? "no" : ""} x={i * 11.5} y={14 - height} width="9.5" height={height} />;
      })}
    </svg>
  );
}

interface AlertLineProps {
  alert: Alert;
  /** It is the only one of its name, which no line above says. */
  named?: boolean;
  chosen: boolean;
  onChoose: (fingerprints: readonly string[], on: boolean) => void;
}

function AlertLine({ alert: a, named = false, chosen, onChoose }: AlertLineProps) {
  const now = useBoardNow();
  const [open, setOpen] = useState(false);
  const item = alertItem(a);
  const over = a.status !== "firing";
  return (
    <li className={over || a.suppressed !== null ? "over" : ""}>
      <div className="al one">
        <input type="checkbox" checked={chosen} aria-label={`Choose ${alertName(a)} ${item}`} onChange={(e) => onChoose([a.fingerprint], e.target.checked)} />
        <SeverityMark severity={a.severity} wordless />
        <button type="button" className="an" aria-expanded={open} title="Labels and evidence" onClick={() => setOpen(!open)}>
          <span className="nm">{named || item === "" ? alertName(a) : item}</span><span className="it">{named ? item : a.annotations.summary}</span>
          {a.flapping && <span className="chip" title={`It comes and goes: ${figure(a.count)} times so far; shown once a minute`}><Icon name="flap" />Flapping {figure(a.count)}</span>}
        </button>
        <span className="num muted" title={a.suppressed ?? a.status}>{over ? a.status : a.suppressed !== null ? <span className="chip hatch">{suppressedWord(a)}</span> : age(now - Date.parse(a.lastStartsAt))}</span>
        <AlertLinks alert={a} />
      </div>
      {open && <AlertDetails alert={a} />}
    </li>
  );
}
