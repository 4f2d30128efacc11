// One incident, one line.
import { memo } from "react";
import type { Row } from "../api/model";
import { ClassIcon, Icon, PriorityMark, SeverityMark, StateMark } from "../lib/marks";
import { age, coarse, moment, until } from "../lib/time";
import { bestCause, figure, owner } from "../lib/words";
import { unhandled } from "./select";

export interface BoardRowProps {
  row: Row;
  /** Its place in the whole list, from 1; the head is row 1 of the grid. */
  index: number;
  top: number;
  selected: boolean;
  /** It has left the board, and is shown only while the order is held. */
  gone: boolean;
  /** The last one of its priority. */
  cut: boolean;
  busy: boolean;
  /** The age in words: so a row is drawn again only when they change. */
  openFor: string;
  /** Minutes since it was resolved; 0 for open ones. */
  now: number;
}

export const BoardRow = memo(function BoardRow({ row, index, top, selected, gone, cut, busy, openFor, now }: BoardRowProps) {
  const todo = unhandled(row);
  const calm = gone || row.state === "resolved" || row.state === "closed" || row.state === "cancelled";
  const classes = ["r", row.severity, todo && "todo", calm && "calm", cut && "cut", busy && "busy"].filter(Boolean).join(" ");
  return (
    <div
      role="row" id={`row-${row.id}`} data-id={row.id} className={classes} style={{ transform: `translateY(${top}px)` }}
      aria-rowindex={index + 1} aria-selected={selected}
    >
      <div role="gridcell"><SeverityMark severity={row.severity} /></div>
      <div role="gridcell"><PriorityMark priority={row.priority} override={row.priorityOverride} /></div>
      <div role="gridcell" className="c-no">{row.number}</div>
      <div role="gridcell" className="c-st"><StateMark state={row.state} narrow /></div>
      <div role="gridcell" className="ti">
        <span className="t" title={row.title}>{row.title}</span>
        <RowChip row={row} now={now} gone={gone} />
      </div>
      <div role="gridcell" className="cause"><CauseCell row={row} /></div>
      <div role="gridcell" className="c-al"><span className="v">{figure(row.alertCounts.total)}</span><AlertBar counts={row.alertCounts} /></div>
      <div role="gridcell" className="num">{figure(row.itemCount)}</div>
      <div role="gridcell" className="c-site clip">{row.site}</div>
      <div role="gridcell" className="num">{openFor}</div>
      <div role="gridcell" className="own"><Owner row={row} /></div>
    </div>
  );
});

function CauseCell({ row }: { row: Row }) {
  const cause = bestCause(row);
  if (cause === undefined) return <span className="muted">no cause yet</span>;
  return (
    <>
      <ClassIcon kind={cause.class} change={cause.change !== null} silent={!cause.reporting} />
      <span className="nm" title={cause.name}>{cause.name}</span>
      {!cause.reporting && <span className="q">not itself reporting</span>}
      <span className="sc">{cause.score.toFixed(2)}</span>
    </>
  );
}

function Owner({ row }: { row: Row }) {
  const name = owner(row);
  const title = row.acknowledgedBy === null ? undefined : `Acknowledged by ${row.acknowledgedBy}`;
  return (
    <>
      <span className="tk" title={title}>
        {row.acknowledgedAt !== null && <><Icon name="tick" /><span className="sr">acknowledged</span></>}
      </span>
      <span className={name === "nobody" ? "clip muted" : "clip"} title={name}>{name}</span>
    </>
  );
}

/** One chip at most: what a person has to know before acting. */
function RowChip({ row, now, gone }: { row: Row; now: number; gone: boolean }) {
  const at = new Date(now);
  if (row.state === "closed" || row.state === "cancelled") return <span className="chip line">{row.state === "closed" ? "Closed" : "Cancelled"}</span>;
  if (gone) return <span className="chip line">Left the board</span>;
  if (row.state === "resolved") {
    const ago = row.resolvedAt === null ? "" : ` ${coarse(now - Date.parse(row.resolvedAt))} ago`;
    return <span className="chip line">Resolved{ago}</span>;
  }
  if (row.flapping) return <span className="chip" title="It goes up and down: its alerts start and end again and again"><Icon name="flap" />Flapping</span>;
  if (row.state === "on_hold") {
    const till = row.holdUntil === null ? "" : `, until ${moment(row.holdUntil, at)}`;
    return <span className="chip line hold" title={`On hold: ${row.onHoldReason ?? ""}${till}`}><span className="clip">{row.onHoldReason ?? "On hold"}</span></span>;
  }
  if (row.snoozedUntil !== null) return <span className="chip line">Snoozed<span className="ext"> until {until(row.snoozedUntil, at)}</span></span>;
  if (row.alertCounts.firing === 0 && row.alertCounts.suppressed > 0) return <span className="chip hatch">Suppressed</span>;
  if (row.reopenCount > 0) return <span className="chip line">Reopened {row.reopenCount}</span>;
  return null;
}

// A storm is seen before it is read: the bar is logarithmic, full at 200 alerts.
const fullBar = Math.log(201);

function AlertBar({ counts }: { counts: Row["alertCounts"] }) {
  const width = Math.min(1, Math.log(1 + counts.total) / fullBar);
  const ended = counts.resolved + counts.expired;
  const title = [`${counts.firing} firing`, ended > 0 && `${ended} ended`, counts.suppressed > 0 && `${counts.suppressed} suppressed`]
    .filter(Boolean).join(", ");
  return (
    <span className="mb" style={{ width: `${width * 100}%` }} title={title}>
      <i className="f" style={{ flexGrow: Math.max(0, counts.firing - counts.suppressed) }} />
      <i className="hatch" style={{ flexGrow: counts.suppressed }} />
      <i className="z" style={{ flexGrow: ended }} />
    </span>
  );
}

export const openFor = (row: Row, now: number): string => age(now - Date.parse(row.openedAt));
