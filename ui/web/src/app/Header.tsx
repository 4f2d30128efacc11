// The line on top: where one is, what grouping made of it, and how old the data is.
import { type MouseEvent, type ReactNode, useMemo, useState, useSyncExternalStore } from "react";
import type { Comparison, SourceCounts } from "../api/model";
import { type Liveness, liveness, livenessWords } from "../lib/live";
import { Icon, Logo } from "../lib/marks";
import { clock, dataAge, shownZone, zone } from "../lib/time";
import { countOpen } from "../board/select";
import { figure, plural } from "../lib/words";
import { nextTheme } from "../store/theme";
import { useBoard, useNow, usePerson, useServices } from "./context";
import { NameDialog } from "./NameDialog";
import { go, type Page } from "./route";
import { useTick } from "./tick";

export function Header({ page }: { page: Page }) {
  const loaded = useBoard((s) => s.loaded);
  const view = useBoard((s) => s.view);
  const open = useMemo(() => countOpen(view.rows.values()), [view]);
  const counts = useBoard((s) => s.counts);
  const comparison = useBoard((s) => s.comparison);
  return (
    <header className="top">
      <a className="brand" href="/" aria-label="Signalbox" onClick={(e) => follow(e, "incidents")}><Logo /><span className="words">Signalbox</span></a>
      <nav className="nav" aria-label="Main">
        <NavLink to="incidents" now={page}>Incidents {loaded && <span className="n">{figure(open)}</span>}</NavLink>
        <NavLink to="alerts" now={page}>Alerts {counts !== null && <span className="n">{figure(counts.alertsFiring)}</span>}</NavLink>
        <NavLink to="problems" now={page}>Problems</NavLink>
        <NavLink to="patterns" now={page}>Patterns</NavLink>
        <NavLink to="silences" now={page}>Silences</NavLink>
        <NavLink to="history" now={page}>History</NavLink>
        <NavLink to="sources" now={page}>Sources</NavLink>
        <NavLink to="connect" now={page}>Connect</NavLink>
      </nav>
      <span className="grow" />
      {comparison !== null && comparison.alerts > 0 && <Squeeze comparison={comparison} />}
      {counts !== null && counts.sources.known > 0 && <Beats sources={counts.sources} />}
      <span className="sep" />
      <ConnectionMark />
      <PauseButton />
      <button type="button" className="btn quiet icon" aria-label="Next theme: dark, light, contrast (T)" title="Next theme: dark, light, contrast (T)" onClick={nextTheme}><Icon name="theme" /></button>
      <WallClock />
      <Person />
    </header>
  );
}

function follow(e: MouseEvent, page: Page): void {
  if (e.ctrlKey || e.metaKey || e.shiftKey) return;
  e.preventDefault();
  go({ page, incident: null, tab: "", q: "" });
}

function NavLink({ to, now, children }: { to: Page; now: Page; children: ReactNode }) {
  return <a href={`/${to}`} aria-current={to === now ? "page" : undefined} onClick={(e) => follow(e, to)}>{children}</a>;
}

const barWidth = 62;

/** What Alertmanager's grouping would have made of the same alerts, beside what stands on the board. */
function Squeeze({ comparison: c }: { comparison: Comparison }) {
  const minutes = Math.round(c.windowSeconds / 60);
  const most = Math.max(1, c.groups, c.incidents);
  const width = (n: number) => (n === 0 ? 0 : Math.max(2, (n / most) * barWidth));
  const title = `Of the ${plural(c.alerts, "alert")} of the last ${minutes} minutes Alertmanager would have made ${plural(c.groups, "group")}; here they are ${plural(c.incidents, "incident")}`;
  return (
    <div className="squeeze" title={title}>
      <span className="wide">{minutes} min, {figure(c.alerts)} alerts</span>
      <span className="bars wide" aria-hidden="true"><i style={{ width: width(c.groups) }} /><i style={{ width: width(c.incidents) }} /></span>
      <span>
        <span className="words">Alertmanager grouping</span> <b>{figure(c.groups)}</b> · <span className="words">Signalbox</span> <b>{figure(c.incidents)}</b>
      </span>
    </div>
  );
}

const mostMarks = 12;

/** How many sources are heard. Hollow with the edge of a warning: its heartbeat is overdue; hollow: nothing came from it lately. */
function Beats({ sources: s }: { sources: SourceCounts }) {
  const quiet = s.known - s.heard - s.silent.length;
  const title = [
    `${figure(s.heard)} of ${plural(s.known, "source")} ${s.heard === 1 ? "is" : "are"} heard: by heartbeat, or by a payload of the last five minutes.`,
    s.silent.length > 0 && `Silent: ${s.silent.join(", ")}.`, quiet > 0 && `Quiet or not due yet: ${figure(quiet)}.`,
  ].filter(Boolean).join(" ");
  const marks = [...Array<string>(s.silent.length).fill("dead"), ...Array<string>(Math.max(0, quiet)).fill("mute"), ...Array<string>(s.heard).fill("")].slice(0, mostMarks).reverse();
  return (
    <a className="beats" href="/sources" title={title} onClick={(e) => follow(e, "sources")}>
      <span className="marks" aria-hidden="true">{marks.map((m, i) => <i key={i} className={m} />)}</span>
      <span><span className="words">Sources</span> <b>{figure(s.heard)} of {figure(s.known)}</b>{s.silent.length > 0 && <span className="sr">, silent: {s.silent.join(", ")}</span>}</span>
    </a>
  );
}

function ConnectionMark() {
  const connection = useBoard((s) => s.connection);
  const paused = useBoard((s) => s.paused);
  const now = useTick();
  const state: Liveness = liveness(connection, paused !== null, now);
  const since = state === "paused" && paused !== null ? paused.since : connection.heardAt;
  const empty = useBoard((s) => s.loaded && s.view.order.length === 0);
  if (empty && state === "live") {
    return <div className="conn"><span className="dot" aria-hidden="true" /><span role="status">Connected, <b>no incident yet</b></span></div>;
  }
  return (
    <div className={`conn ${state}`} title={connection.reason ?? "Time since the last message of the server"}>
      <span className="dot" aria-hidden="true" />
      <span className="word" role="status">{livenessWords[state]}</span>
      {since !== null && <span className="age">{dataAge(now - since)}</span>}
    </div>
  );
}

function PauseButton() {
  const { store } = useServices();
  const paused = useBoard((s) => s.paused !== null);
  const label = paused ? "Resume updates (P)" : "Pause updates (P)";
  return (
    <button
      type="button" className="btn quiet icon" aria-label={label} title={label} aria-pressed={paused}
      onClick={() => (paused ? store.resume() : store.pause(Date.now()))}
    >
      <Icon name={paused ? "play" : "pause"} />
    </button>
  );
}

function WallClock() {
  const now = new Date(useNow());
  const utc = useSyncExternalStore(shownZone.subscribe, shownZone.get) === "utc";
  const label = utc ? "Show the times of your own zone" : "Show times in UTC";
  return <button type="button" className="clock" title={label} onClick={() => shownZone.set(utc ? "" : "utc")}>{clock(now)}<small>{zone(now)}</small><span className="sr">{label}</span></button>;
}

function Person() {
  const person = usePerson();
  const [asked, ask] = useState(false);
  const label = person === "" ? "Say who you are" : `You are ${person}. Change it`;
  return (
    <>
      <button type="button" className={person === "" ? "ava unknown" : "ava"} aria-label={label} title={label} onClick={() => ask(true)}>
        {person === "" ? "?" : person.slice(0, 2).toUpperCase()}
      </button>
      {asked && <NameDialog onClose={() => ask(false)} />}
    </>
  );
}
