// The service level targets of the incident: what is due when, and every interval that counted or did not.
import { useState } from "react";
import { getClocks, sentence } from "../api/client";
import type { Clock, ClockAccount, Row } from "../api/model";
import { useBoardNow } from "../app/context";
import { clocksOf, leftOf, span } from "../lib/due";
import { DueMark } from "../lib/DueMark";
import { useLoad } from "../lib/load";
import { moment, zone } from "../lib/time";
import { plural } from "../lib/words";

const pace = 2_000;

export function Clocks({ row, version }: { row: Row; version: string }) {
  const now = useBoardNow();
  const [open, setOpen] = useState(false);
  const clocks = clocksOf(row);
  if (clocks.length === 0) return null;
  return (
    <section className="sec">
      <h3>Targets
        <button type="button" className="a end" aria-expanded={open} onClick={() => setOpen(!open)}>{open ? "Hide what counted" : "What counted"}</button>
      </h3>
      <ul className="clocks">{clocks.map((c) => <ClockLine key={`${c.metric}/${c.name}`} clock={c} now={now} />)}</ul>
      {open && <Explained id={row.id} version={version} />}
    </section>
  );
}

function ClockLine({ clock: c, now }: { clock: Clock; now: number }) {
  return (
    <li className={`ck ${c.state}`}>
      <DueMark state={c.state} />
      <span className="clip"><b>{c.name}</b> <span className="muted">{c.metric} within {span(c.targetSeconds)}</span></span>
      <span className="when">{happened(c, new Date(now))}</span>
      <span className="num ink">{leftOf(c, now)}</span>
    </li>
  );
}

/** What stands behind the number: when it is due, or what stopped it. */
function happened(c: Clock, now: Date): string {
  const took = c.elapsedSeconds === null ? "" : `, ${span(c.elapsedSeconds)} used`;
  if (c.pausedAt !== null) return `since ${moment(c.pausedAt, now)}${took}`;
  if (c.stoppedAt !== null) return `${moment(c.stoppedAt, now)}${took}`;
  return c.dueAt === null ? "" : `due ${moment(c.dueAt, now)}`;
}

function Explained({ id, version }: { id: string; version: string }) {
  const { value, error } = useLoad(id, version, pace, (signal) => getClocks(id, signal));
  if (error !== null) return <p className="oops" role="alert">{sentence(error)}</p>;
  if (value === null) return <p className="muted">Reading what counted</p>;
  return <>{value.clocks.map((a) => <Account key={`${a.metric}/${a.name}`} account={a} at={new Date(value.at)} />)}</>;
}

// A long incident by office hours has hundreds of intervals; the last ones say where it stands.
const atFirst = 40;

function Account({ account: a, at }: { account: ClockAccount; at: Date }) {
  const [all, setAll] = useState(false);
  const hidden = all ? 0 : Math.max(0, a.intervals.length - atFirst);
  return (
    <div className="account">
      <h4>{a.name} <span className="muted">{a.metric} by the calendar {a.calendar}{a.calendar !== "24x7" && ` in ${a.timeZone}`}{!a.applies && ", applied earlier"}; times in {zone(at)}</span></h4>
      {hidden > 0 && <button type="button" className="btn sm wide" onClick={() => setAll(true)}>Show {plural(hidden, "earlier interval")}</button>}
      <table>
        <thead className="sr"><tr><th>From</th><th>To</th><th>Counted</th><th>Why</th><th>Used by then</th></tr></thead>
        <tbody>
          {a.intervals.slice(hidden).map((i) => (
            <tr key={i.from} className={i.counted ? "" : "off"}>
              <td><time dateTime={i.from}>{moment(i.from, at)}</time></td>
              <td><time dateTime={i.to}>{moment(i.to, at)}</time></td>
              <td>{i.counted ? "counted" : "not counted"}</td>
              <td className="why">{i.reason}</td>
              <td className="num">{span(i.elapsedSeconds)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {a.intervals.length === 0 && <p className="muted">Nothing has counted.</p>}
    </div>
  );
}
