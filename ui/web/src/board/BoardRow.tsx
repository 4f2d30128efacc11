// One incident, one line.
import { memo, type RefObject, useEffect, useRef } from "react";
import type { Row } from "../api/model";
import { clockWords, leftOf, nextClock, span } from "../lib/due";
import { DueMark } from "../lib/DueMark";
import { ClassIcon, Icon, PriorityMark, SeverityMark, StateMark } from "../lib/marks";
import { age, coarse, moment, until } from "../lib/time";
import { bestCause, figure, owner, refusal, spoken, windowTitle } from "../lib/words";
import { unhandled } from "./select";

export interface BoardRowProps {
  row: Row;
  /** Its place in the whole list, from 1; the head is row 1 of the grid. */
  index: number;
  top: number;
  /** The one the keys speak of. */
  selected: boolean;
  /** One of several chosen for a command. */
  picked: boolean;
  /** It has left the board, and is shown only while the order is held. */
  gone: boolean;
  /** The last one of its priority. */
  cut: boolean;
  busy: boolean;
  /** The age in words: so a row is drawn again only when they change. */
  openFor: string;
  /** The time left of its next target in words, or how late it is. */
  due: string;
  /** The server's time in ms, to the minute. */
  now: number;
  onQuick: (row: Row, action: "acknowledge" | "assign") => void;
}

export const BoardRow = memo(function BoardRow({ row, index, top, selected, picked, gone, cut, busy, openFor, due, now, onQuick }: BoardRowProps) {
  const line = useFlash(row);
  const todo = unhandled(row);
  const calm = gone || row.state === "resolved" || row.state === "closed" || row.state === "cancelled";
  const classes = ["r", row.severity, selected && "at", picked && "pick", todo && "todo", calm && "calm", cut && "cut", busy && "busy"].filter(Boolean).join(" ");
  return (
    <div
      ref={line} role="row" id={`row-${row.id}`} data-id={row.id} className={classes} style={{ transform: `translateY(${top}px)` }}
      aria-rowindex={index + 1} aria-selected={selected || picked}
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
      <div role="gridcell" className="c-due"><Due row={row} left={due} now={now} /></div>
      <div role="gridcell" className="own"><Owner row={row} /><Quick row={row} onQuick={onQuick} /></div>
    </div>
  );
});

/** The two commands that are given most, at hand under the pointer; the keys do the same. */
function Quick({ row, onQuick }: Pick<BoardRowProps, "row" | "onQuick">) {
  return (
    <span className="qa">
      {refusal("acknowledge", row) === null && (
        <button type="button" className="btn" tabIndex={-1} title="Acknowledge (A)" aria-label={`Acknowledge ${row.number}`} data-quick onClick={() => onQuick(row, "acknowledge")}><Icon name="tick" /></button>
      )}
      {refusal("assign", row) === null && (
        <button type="button" className="btn" tabIndex={-1} title="Assign to me (M)" aria-label={`Assign ${row.number} to me`} data-quick onClick={() => onQuick(row, "assign")}><Icon name="me" /></button>
      )}
    </span>
  );
}

// What each cell shows, in the order of the cells.
const shows: ((r: Row) => unknown)[] = [
  (r) => r.severity, (r) => r.priority, (r) => r.number, (r) => r.state, (r) => r.title, (r) => `${r.causes[0]?.item}/${r.causes[0]?.change}`,
  (r) => r.alertCounts.total, (r) => r.itemCount, (r) => r.site, () => "", (r) => nextClock(r)?.state, (r) => owner(r),
];

const flash = 1000; // ms
const lessMotion = matchMedia("(prefers-reduced-motion: reduce)");

/** A changed cell fades from a wash of the accent; a row that has only come into sight does not. */
function useFlash(row: Row): RefObject<HTMLDivElement | null> {
  const line = useRef<HTMLDivElement>(null);
  const before = useRef(row);
  const flashed = useRef(-Infinity);
  useEffect(() => {
    const was = before.current;
    before.current = row;
    // In a storm a row changes with every frame: one fade at a time is enough, and all that can be painted.
    if (was === row || line.current === null || performance.now() - flashed.current < flash || lessMotion.matches) return;
    for (const [i, show] of shows.entries()) {
      if (show(was) === show(row)) continue;
      flashed.current = performance.now();
      line.current.children[i]?.animate([{ backgroundColor: "var(--accent-wash)" }, { backgroundColor: "transparent" }], flash);
    }
  }, [row]);
  return line;
}

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

/** The target that is due next: its sign, and what is left. */
function Due({ row, left, now }: { row: Row; left: string; now: number }) {
  const c = nextClock(row);
  if (c === undefined) return null;
  const when = c.dueAt === null ? "" : `, due ${moment(c.dueAt, new Date(now))}`;
  return <span className={`timeleft ${c.state}`} title={`${c.name}: ${c.metric} within ${span(c.targetSeconds)}, ${clockWords[c.state]}${when}`}><DueMark state={c.state} /><span className="clip">{left}</span></span>;
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
    return <span className="chip line hold" title={`On hold: ${spoken(row.onHoldReason ?? "")}${till}`}><span className="clip">{spoken(row.onHoldReason ?? "On hold")}</span></span>;
  }
  if (row.snoozedUntil !== null) return <span className="chip line">Snoozed<span className="ext"> until {until(row.snoozedUntil, at)}</span></span>;
  if (row.maintenance != null) return <span className="chip hatch" title={windowTitle(row.maintenance, at)}>Maintenance<span className="ext">{row.maintenance.endsAt !== null && ` until ${until(row.maintenance.endsAt, at)}`}</span></span>;
  if (row.alertCounts.suppressed > 0 && row.alertCounts.suppressed === row.alertCounts.firing) return <span className="chip hatch">Suppressed</span>;
  if (row.fleeting) return <span className="chip line" title="All of it began and ended within a moment">Fleeting</span>;
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

export function dueIn(row: Row, now: number): string {
  const c = nextClock(row);
  return c === undefined ? "" : leftOf(c, now);
}
