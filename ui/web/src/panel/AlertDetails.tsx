// Everything about one alert: annotations, labels, why it is in the incident, what binding tried.
import { useState } from "react";
import type { Alert } from "../api/model";
import { useBoardNow } from "../app/context";
import { itemAddress } from "../history/address";
import { WayIn } from "../history/place";
import { moment } from "../lib/time";
import { commonLabels } from "../silences/matchers";
import { newSilence, SilenceDialog } from "../silences/SilenceDialog";
import { EvidenceList } from "./Why";

/** The address when it leads to a web page; labels and annotations are strangers' text. */
export function safeLink(address: string | undefined): string | null {
  if (address === undefined || address === "") return null;
  try {
    const u = new URL(address);
    return u.protocol === "https:" || u.protocol === "http:" ? u.href : null;
  } catch {
    return null;
  }
}

export function AlertLinks({ alert }: { alert: Alert }) {
  const runbook = safeLink(alert.annotations.runbook_url);
  const graph = safeLink(alert.generatorURL);
  return (
    <span className="lk">
      {runbook !== null && <a href={runbook} target="_blank" rel="noreferrer">Runbook</a>}
      {graph !== null && <a href={graph} target="_blank" rel="noreferrer">Graph</a>}
    </span>
  );
}

/** What the alert is about: the bound item, or the labels that come nearest to one. */
export const alertItem = (a: Alert): string => a.item ?? a.labels.instance ?? a.labels.pod ?? a.labels.node ?? a.labels.job ?? "";

export function AlertDetails({ alert: a }: { alert: Alert }) {
  const at = new Date(useBoardNow());
  const [silencing, setSilencing] = useState(false);
  const text = a.annotations.description ?? a.annotations.summary;
  return (
    <div className="ad">
      {text !== undefined && <p className="ink">{text}</p>}
      <dl>
        <div><dt>Fires since</dt><dd>{moment(a.lastStartsAt, at)}{a.count > 1 && `, ${a.count} times in this incident since ${moment(a.startsAt, at)}`}</dd></div>
        {a.endsAt !== null && a.status !== "firing" && <div><dt>Ended</dt><dd>{moment(a.endsAt, at)}</dd></div>}
        <div><dt>Item</dt><dd>{a.item === null ? "not bound to an item" : <>{a.item} <WayIn to={itemAddress(a.item)}>Its past</WayIn></>}</dd></div>
        {a.tried !== undefined && a.tried !== "" && <div><dt>Tried</dt><dd>{a.tried}</dd></div>}
        {a.suppressed !== null && <div><dt>Suppressed</dt><dd>{a.suppressed}{a.silencedBy.length > 0 && <> <WayIn to="/silences">Silences</WayIn></>}</dd></div>}
        {a.acknowledged !== null && <div><dt>Acknowledged</dt><dd>{a.acknowledged.by}, {moment(a.acknowledged.at, at)}</dd></div>}
        <div><dt>Source</dt><dd>{a.source}</dd></div>
        {a.group !== "" && <div><dt>Group</dt><dd className="mono">{a.group}</dd></div>}
      </dl>
      {a.evidence.length > 0 && <><h4>Why it is in this incident</h4><EvidenceList evidence={a.evidence} /></>}
      {a.status === "firing" && <button type="button" className="btn sm" onClick={() => setSilencing(true)}>Silence …</button>}
      {silencing && <SilenceDialog draft={{ ...newSilence, matchers: commonLabels([a]) }} onClose={() => setSilencing(false)} />}
      <p className="labels">{Object.entries(a.labels).map(([k, v]) => <code key={k}>{k}=&quot;{v}&quot;</code>)}</p>
    </div>
  );
}
