// What became of alerts.
import type { AlertEvent } from "../api/model";
import { useLoad } from "../lib/load";
import { SeverityMark } from "../lib/marks";
import { matcher, withTerm } from "../lib/query";
import { plural } from "../lib/words";
import { safeLink } from "../panel/AlertDetails";
import { eventKey, getEvent, getEvents } from "./api";
import type { Kind, PanelProps } from "./kind";
import { Absent, Aside, Fact, Pairs } from "./parts";
import { IncidentLink, ItemLink, PastLink, usePlace } from "./place";
import { stamp } from "./range";

const nameOf = (e: AlertEvent): string => e.labels.alertname ?? "(no name)";

export const alerts: Kind<AlertEvent> = {
  tab: "alerts",
  words: ["event", "events"],
  placeholder: 'Filter: a word, or matchers such as item="web-1" severity="critical" alertname=~"Kube.*"',
  columns: [
    { name: "When", className: "when" }, { name: "Severity" }, { name: "Status" }, { name: "Alert", className: "clip" }, { name: "Item", className: "clip" },
    { name: "Incident" }, { name: "Source", className: "clip", ink: "muted" },
  ],
  read: getEvents,
  keyOf: eventKey,
  look: (e, now) => ({
    className: `${e.severity}${e.status === "firing" ? "" : " calm"}`,
    cells: [
      stamp(Date.parse(e.at), now), <SeverityMark key="s" severity={e.severity} />, e.status,
      <span key="n" title={e.annotations.summary}><span className="ink">{nameOf(e)}</span> <span className="muted">{e.annotations.summary}</span></span>,
      e.item === "" ? <span className="muted">unbound</span> : <ItemLink item={e.item} />,
      e.incident === "" ? <span className="muted">none</span> : <IncidentLink id={e.incident} />, e.source,
    ],
  }),
  Panel: AlertPanel,
};

function AlertPanel({ open, row, onClose }: PanelProps<AlertEvent>) {
  const { now } = usePlace();
  const read = useLoad(open, row === undefined ? "absent" : "", 0, async (signal) => row ?? getEvent(open, signal));
  const e = row ?? read.value;
  if (e === null) return <Absent error={read.error} onClose={onClose} />;
  const time = (at: string) => stamp(Date.parse(at), now);
  const runbook = safeLink(e.annotations.runbook_url);
  const graph = safeLink(e.generatorURL);
  return (
    <Aside
      label={`Alert ${nameOf(e)}`} title={nameOf(e)} onClose={onClose}
      signs={<>
        <SeverityMark severity={e.severity} /><span className="ink">{e.status}</span>{e.incident !== "" && <IncidentLink id={e.incident} />}
        <span className="grow" />
        <span className="lk">
          {runbook !== null && <a href={runbook} target="_blank" rel="noreferrer">Runbook</a>}
          {graph !== null && <a href={graph} target="_blank" rel="noreferrer">Graph</a>}
        </span>
      </>}
      under={<dl className="facts">
        <Fact name="When">{time(e.at)}</Fact>
        <Fact name="Fires since">{time(e.startsAt)}</Fact>
        {e.endsAt !== null && e.status !== "firing" && <Fact name="Ended">{time(e.endsAt)}</Fact>}
        <Fact name="Item">{e.item === "" ? "not bound to an item" : <ItemLink item={e.item} />}</Fact>
        <Fact name="Source">{e.source}</Fact>
        {e.count > 1 && <Fact name="Fired">{plural(e.count, "time")} in this incident</Fact>}
      </dl>}
    >
      <section className="sec">
        <h3>Annotations</h3>
        {Object.keys(e.annotations).length === 0 ? <p className="muted">It has none.</p> : <Pairs of={e.annotations} />}
      </section>
      <Labels event={e} />
      <SeeAlso event={e} />
    </Aside>
  );
}

function SeeAlso({ event: e }: { event: AlertEvent }) {
  return (
    <section className="sec">
      <h3>See also</h3>
      <ul className="ways">
        <li><PastLink part={{ q: matcher("fingerprint", "=", e.fingerprint) }}>Only this alert</PastLink></li>
        {e.incident === ""
          ? <li className="muted">No incident held it then.</li>
          : <>
            <li><PastLink part={{ q: matcher("incident", "=", e.incident) }}>Only the alerts of its incident</PastLink></li>
            <li><IncidentLink id={e.incident}>The incident</IncidentLink></li>
          </>}
      </ul>
    </section>
  );
}

/** The labels; each adds itself to the query. */
function Labels({ event: e }: { event: AlertEvent }) {
  const { address } = usePlace();
  return (
    <section className="sec">
      <h3>Labels <span className="muted">each one narrows the list to what has it, too</span></h3>
      <p className="labels">
        {Object.entries(e.labels).map(([k, v]) => (
          // A label may have the name of a field, and is not meant then.
          <PastLink key={k} part={{ q: withTerm(address.q, matcher(`labels.${k}`, "=", v).replace(/^labels\.(?!(?:status|severity|item|incident|source|fingerprint)=)/, "")) }}><code>{k}=&quot;{v}&quot;</code></PastLink>
        ))}
      </p>
    </section>
  );
}
