// Incidents that opened in a window, as they stand now; also those that the board has forgotten.
import { useState } from "react";
import { sentence } from "../api/client";
import type { Entry, Row } from "../api/model";
import { useLoad } from "../lib/load";
import { ClassIcon, Icon, PriorityMark, SeverityMark, StateMark } from "../lib/marks";
import { matcher } from "../lib/query";
import { age } from "../lib/time";
import { bestCause, figure, owner, plural } from "../lib/words";
import { getIncidents, getPastTimeline, getRevisions, most } from "./api";
import type { Kind, PanelProps } from "./kind";
import { Absent, Aside, Fact } from "./parts";
import { BoardLink, IncidentLink, ItemLink, PastLink, usePlace } from "./place";
import { stamp } from "./range";
import { differences, summary } from "./revisions";

/** How long it was open, or has been. */
const lasted = (r: Row, now: number): string => age(Date.parse(r.closedAt ?? r.resolvedAt ?? new Date(now).toISOString()) - Date.parse(r.openedAt));

const isOver = (r: Row): boolean => r.state === "resolved" || r.state === "closed" || r.state === "cancelled";

export const incidents: Kind<Row> = {
  tab: "incidents",
  words: ["incident", "incidents"],
  placeholder: 'Filter: a word, or matchers such as item="web-1" state="closed" priority<=2 cause="core-2"',
  columns: [
    { name: "Opened", className: "when" }, { name: "Severity" }, { name: "P" }, { name: "Number", className: "c-no" }, { name: "State", className: "c-st" },
    { name: "Incident", className: "clip", ink: "ink" }, { name: "Probable cause", ink: "cause" }, { name: "Alerts", className: "num" }, { name: "Items", className: "num" },
    { name: "Lasted", className: "num" }, { name: "Owner", className: "clip" },
  ],
  read: getIncidents,
  keyOf: (r) => r.id,
  look: (r, now) => ({
    className: `${r.severity}${isOver(r) ? " calm" : ""}`,
    cells: [
      stamp(Date.parse(r.openedAt), now), <SeverityMark key="s" severity={r.severity} />, <PriorityMark key="p" priority={r.priority} override={r.priorityOverride} />,
      r.number, <StateMark key="st" state={r.state} narrow />, <span key="t" title={r.title}>{r.title}</span>, <CauseCell key="c" row={r} />,
      figure(r.alertCounts.total), figure(r.itemCount), lasted(r, now), owner(r),
    ],
  }),
  Panel: IncidentPanel,
};

function CauseCell({ row }: { row: Row }) {
  const cause = bestCause(row);
  if (cause === undefined) return <span className="muted">no cause</span>;
  return <><ClassIcon kind={cause.class} change={cause.change !== null} silent={!cause.reporting} /><span className="nm" title={cause.name}>{cause.name}</span></>;
}

function IncidentPanel({ open, row, onClose }: PanelProps<Row>) {
  const { now } = usePlace();
  const [limit, setLimit] = useState(200);
  const revisions = useLoad(open, `${limit}/${now}`, 0, (signal) => getRevisions(open, limit, signal));
  const r = revisions.value?.[0] ?? row;
  if (r === undefined) return <Absent error={revisions.error} onClose={onClose} />;
  const time = (at: string) => stamp(Date.parse(at), now);
  const cause = bestCause(r);
  return (
    <Aside
      label={`Incident ${r.number}`} title={r.title} onClose={onClose}
      signs={<>
        <SeverityMark severity={r.severity} /><PriorityMark priority={r.priority} override={r.priorityOverride} /><span className="ink">{r.number}</span><StateMark state={r.state} />
        <span className="grow" />{r.state !== "closed" && r.state !== "cancelled" && <BoardLink number={r.number} />}
      </>}
      under={<dl className="facts">
        <Fact name="Opened">{time(r.openedAt)}</Fact>
        {r.resolvedAt !== null && <Fact name="Resolved">{time(r.resolvedAt)}</Fact>}
        {r.closedAt !== null && <Fact name="Closed">{time(r.closedAt)}</Fact>}
        <Fact name={isOver(r) ? "Was open" : "Open"}>{lasted(r, now)}</Fact>
        <Fact name="Cause">{cause === undefined ? "none" : `${cause.name} ${cause.score.toFixed(2)}`}</Fact>
        <Fact name="Owner">{owner(r)}</Fact>
        {r.site !== "" && <Fact name="Site">{r.site}</Fact>}
        <Fact name="Alerts">{figure(r.alertCounts.total)}</Fact>
        {r.reopenCount > 0 && <Fact name="Reopened">{r.reopenCount}</Fact>}
        {r.mergedInto !== null && <Fact name="Merged into"><IncidentLink id={r.mergedInto} /></Fact>}
        {r.resolutionCode !== null && <Fact name="Resolution">{r.resolutionCode}{r.resolutionNotes !== null && `: ${r.resolutionNotes}`}</Fact>}
      </dl>}
    >
      {revisions.error !== null && <p className="oops" role="alert">The revisions could not be read. {sentence(revisions.error)}</p>}
      {revisions.value !== null && <Revisions key={r.id} all={revisions.value} limit={limit} onMore={() => setLimit(most)} />}
      <PastTimeline id={r.id} />
      <section className="sec">
        <h3>Items <span className="muted">{r.itemCount > r.items.length ? `the ${r.items.length} most central of ${figure(r.itemCount)}` : plural(r.itemCount, "item")}</span></h3>
        <ul className="names">{r.items.map((item) => <li key={item}><ItemLink item={item} /></li>)}</ul>
      </section>
      <section className="sec">
        <h3>See also</h3>
        <ul className="ways"><li><PastLink part={{ tab: "alerts", q: matcher("incident", "=", r.id), open: null, zoom: null, range: around(r, now) }}>Its alerts, from its begin to its end</PastLink></li></ul>
      </section>
    </Aside>
  );
}

const minute = 60_000;

/** The window in which an incident lived. */
const around = (r: Row, now: number) => ({ from: Date.parse(r.startedAt) - minute, to: Date.parse(r.closedAt ?? new Date(now).toISOString()) + minute });

/** The revisions, newest first; the open one shows beside each other what it was before and after. */
function Revisions({ all, limit, onMore }: { all: readonly Row[]; limit: number; onMore: () => void }) {
  const { now } = usePlace();
  const [open, setOpen] = useState<number | null>(null);
  // The oldest one at hand has nothing to be compared with, unless it is the first of all.
  const cut = all.length === limit;
  return (
    <section className="sec">
      <h3>Revisions <span className="muted">{cut ? `the newest ${figure(all.length)}` : plural(all.length, "revision")}, newest first</span></h3>
      <ol className="rvs">
        {all.map((r, i) => {
          const before = all[i + 1];
          if (before === undefined && cut) return null;
          return (
            <li key={r.revision}>
              <button type="button" className="rv" aria-expanded={open === r.revision} disabled={before === undefined} onClick={() => setOpen(open === r.revision ? null : r.revision)}>
                <Icon name={open === r.revision ? "down" : "right"} /><time dateTime={r.updatedAt}>{stamp(Date.parse(r.updatedAt), now)}</time>
                <span className="num muted">{r.revision}</span><span className="clip">{summary(before, r, now)}</span>
              </button>
              {open === r.revision && before !== undefined && <SideBySide before={before} after={r} />}
            </li>
          );
        })}
      </ol>
      {cut && limit < most && <button type="button" className="btn sm wide" onClick={onMore}>Show more</button>}
    </section>
  );
}

function SideBySide({ before, after }: { before: Row; after: Row }) {
  const { now } = usePlace();
  const all = differences(before, after, now);
  if (all.length === 0) return <p className="muted same">What changed is nothing that people see.</p>;
  return (
    <table className="beside">
      <thead><tr><th scope="col"><span className="sr">Field</span></th><th scope="col">Revision {before.revision}</th><th scope="col">Revision {after.revision}</th></tr></thead>
      <tbody>{all.map((d) => <tr key={d.field}><th scope="row">{d.field}</th><td>{d.before}</td><td className="ink">{d.after}</td></tr>)}</tbody>
    </table>
  );
}

function PastTimeline({ id }: { id: string }) {
  const { now } = usePlace();
  const { value, error } = useLoad(id, String(now), 0, (signal) => getPastTimeline(id, signal));
  return (
    <section className="sec">
      <h3>Timeline {value !== null && <span className="muted">{value.length === most ? `the newest ${figure(most)} entries` : plural(value.length, "entry", "entries")}, newest first</span>}</h3>
      {error !== null && <p className="oops" role="alert">The timeline could not be read. {sentence(error)}</p>}
      <ol className="tl past">{value?.map((e) => <Line key={e.seq} entry={e} now={now} />)}</ol>
    </section>
  );
}

function Line({ entry: e, now }: { entry: Entry; now: number }) {
  return (
    <li>
      <time dateTime={e.at}>{stamp(Date.parse(e.at), now)}</time>
      <span className={e.by === "engine" ? "by clip" : "by h clip"} title={e.by}>{e.by}</span>
      <span className={e.kind === "comment" ? "tx said" : "tx"}>{e.text}</span>
    </li>
  );
}
