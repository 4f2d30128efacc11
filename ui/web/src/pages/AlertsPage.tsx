// All current alerts, page by page: also those that no item and no incident holds.
import { useVirtualizer } from "@tanstack/react-virtual";
import { type MouseEvent, useCallback, useEffect, useRef, useState } from "react";
import { getAlerts, type Params, sentence } from "../api/client";
import type { CurrentAlert } from "../api/model";
import { useBoard, useBoardNow } from "../app/context";
import { useKeys } from "../app/keys";
import { go, type Route } from "../app/route";
import { Banner } from "../board/Banner";
import { QueryBar } from "../board/QueryBar";
import { Icon, SeverityMark } from "../lib/marks";
import { hasTerm, matcher, withoutLast, withoutTerm, withTerm } from "../lib/query";
import { age } from "../lib/time";
import { figure, suppressedWord } from "../lib/words";
import { AlertDetails, alertItem, AlertLinks } from "../panel/AlertDetails";
import { alertName } from "../panel/groups";

const unbound = matcher("bound", "=", false);
const firing = matcher("status", "=", "firing");
const suppressed = matcher("suppressed", "!=", "");
const filters: [string, string][] = [["Firing", firing], ["Unbound", unbound], ["Suppressed", suppressed]];

const sorts: [string, string][] = [
  ["-lastStartsAt", "Newest first"], ["lastStartsAt", "Oldest first"], ["-severity", "Severity, lowest first"], ["severity", "Severity, highest first"],
  ["status", "Status"],
];

const pageSize = 200;
const refreshEvery = 5_000;

/** What stands for an alert in the list: an identity may be in two incidents. */
const keyOf = (a: CurrentAlert): string => `${a.fingerprint}/${a.incident ?? ""}`;

export function AlertsPage({ route }: { route: Route }) {
  const [sort, setSort] = useState("-lastStartsAt");
  const [cursor, setCursor] = useState<string | null>(null);
  const [shown, setShown] = useState(false);
  const list = useAlerts(route.q, sort);
  const counts = useBoard((s) => s.counts);
  const at = cursor === null ? -1 : list.alerts.findIndex((a) => keyOf(a) === cursor);
  const chosen = shown ? list.alerts[at] : undefined;
  const move = (by: number) => {
    list.touch();
    const next = list.alerts[at < 0 ? (by > 0 ? 0 : list.alerts.length - 1) : Math.min(list.alerts.length - 1, Math.max(0, at + by))];
    if (next !== undefined) setCursor(keyOf(next));
  };
  const open = (key: string) => {
    setShown(!(shown && key === cursor));
    setCursor(key);
  };
  useKeys({
    Escape: () => {
      if (shown) setShown(false);
      else if (route.q !== "") go({ q: "" });
      else setCursor(null);
    },
    j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1), PageDown: () => move(20), PageUp: () => move(-20),
    Home: () => move(-Infinity), End: () => move(Infinity), Enter: () => cursor !== null && setShown(true),
  });
  return (
    <main className={chosen === undefined ? "work" : "work open"}>
      <section className="list" aria-label="Alerts">
        <QueryBar q={route.q} error={list.error} placeholder='Filter: a word, or matchers such as alertname=~"Kube.*" severity="critical"' onChange={(q) => go({ q }, true)}>
          {filters.map(([name, term]) => (
            <label key={name} className="toggle">
              <input
                type="checkbox" checked={hasTerm(route.q, term)}
                onChange={(e) => go({ q: e.target.checked ? withTerm(route.q, term) : withoutTerm(route.q, term) })}
              />
              {name}{name === "Unbound" && counts !== null && counts.unbound > 0 && <span className="n">{figure(counts.unbound)}</span>}
            </label>
          ))}
          <label className="toggle">
            <span className="sr">Sort</span>
            <select value={sort} onChange={(e) => setSort(e.target.value)}>{sorts.map(([id, name]) => <option key={id} value={id}>{name}</option>)}</select>
          </label>
        </QueryBar>
        <Banner />
        {list.alerts.length === 0 && list.total !== null
          ? <None q={route.q} />
          : <AlertGrid list={list} cursor={cursor} at={at} onOpen={open} />}
        <p className="under" role="status">{list.total !== null && `${figure(list.alerts.length)} of ${figure(list.total)} alerts`}</p>
      </section>
      {chosen !== undefined && <AlertPanel alert={chosen} onClose={() => setShown(false)} />}
    </main>
  );
}

function None({ q }: { q: string }) {
  return (
    <div className="msg">
      <h2>{q === "" ? "No current alert" : "No alert matches"}</h2>
      <p>{q === unbound ? "Every alert is bound to an item." : "An alert is current until its incident is closed."}</p>
      {q !== "" && <button type="button" className="btn" onClick={() => go({ q: withoutLast(q) })}>Remove last matcher</button>}
    </div>
  );
}

interface AlertList {
  alerts: readonly CurrentAlert[];
  total: number | null;
  error: string | null;
  more: () => void;
  /** The list is being read: nobody wants it to move. */
  touch: () => void;
}

interface Loaded {
  scope: string;
  alerts: CurrentAlert[];
  total: number | null;
  next: string | null;
  error: string | null;
}

/** Pages of alerts. While only the first is there it is read again and again, unless somebody points at it. */
function useAlerts(q: string, sort: string): AlertList {
  const scope = `${sort}\n${q}`;
  const [loaded, setLoaded] = useState<Loaded>({ scope, alerts: [], total: null, next: null, error: null });
  const touched = useRef(0);
  const under = useRef<AbortController | null>(null);
  const paused = useBoard((s) => s.paused !== null);

  const load = useCallback((cursor: string | null) => {
    under.current?.abort();
    const abort = new AbortController();
    under.current = abort;
    const params: Params = { q, sort, limit: pageSize, cursor };
    getAlerts(params, abort.signal).then(
      (page) => setLoaded((l) => ({
        scope, total: page.total, next: page.next, error: null,
        alerts: cursor === null || l.scope !== scope ? page.alerts : [...l.alerts, ...page.alerts],
      })),
      (error: unknown) => {
        if (!abort.signal.aborted) setLoaded((l) => ({ ...l, scope, error: sentence(error) }));
      },
    ).finally(() => {
      if (under.current === abort) under.current = null;
    });
  }, [q, sort, scope]);

  useEffect(() => {
    load(null);
    return () => under.current?.abort();
  }, [load]);
  const onePage = loaded.alerts.length <= pageSize;
  useEffect(() => {
    if (!onePage || paused) return;
    const timer = setInterval(() => {
      if (under.current === null && performance.now() - touched.current > refreshEvery) load(null);
    }, refreshEvery);
    return () => clearInterval(timer);
  }, [load, onePage, paused]);

  const more = useCallback(() => {
    if (loaded.next !== null && loaded.scope === scope && under.current === null) load(loaded.next);
  }, [load, loaded.next, loaded.scope, scope]);
  const touch = useCallback(() => {
    touched.current = performance.now();
  }, []);
  return { alerts: loaded.alerts, total: loaded.total, error: loaded.error, more, touch };
}

const rowHeight = 28;
const columns = ["Severity", "Status", "Alert", "Item", "Incident", "Source", "Since", "Links"];

interface AlertGridProps {
  list: AlertList;
  /** The key of the alert that the keys speak of, and its place. */
  cursor: string | null;
  at: number;
  onOpen: (key: string) => void;
}

function AlertGrid({ list, cursor, at, onOpen }: AlertGridProps) {
  const { alerts, more } = list;
  const now = useBoardNow();
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: alerts.length, getScrollElement: () => scroller.current, estimateSize: () => rowHeight, overscan: 12, useFlushSync: false,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= alerts.length - 20) more();
  }, [last, alerts.length, more]);
  const scrolledTo = useRef<string | null>(null);
  useEffect(() => {
    // Only when the cursor moves: an alert that moves by itself must not drag the list along.
    if (at < 0 || scrolledTo.current === cursor) return;
    scrolledTo.current = cursor;
    virtual.scrollToIndex(at);
  }, [at, cursor, virtual]);
  const click = (e: MouseEvent) => {
    const t = e.target instanceof Element ? e.target : null;
    const key = t?.closest("a") === null ? t.closest<HTMLElement>("[data-id]")?.dataset.id : undefined;
    if (key !== undefined) onOpen(key);
  };
  return (
    // The keys of the grid are the keys of the page: see app/keys.
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events
    <div
      role="grid" className="grid alerts" aria-label="Alerts" aria-rowcount={(list.total ?? alerts.length) + 1} tabIndex={0}
      aria-activedescendant={at < 0 ? undefined : `alert-${at}`} onClick={click} onPointerMove={list.touch}
    >
      <div role="rowgroup">
        <div role="row" className="hd" aria-rowindex={1}>{columns.map((c) => <div key={c} role="columnheader" className={c === "Since" ? "num" : ""}>{c}</div>)}</div>
      </div>
      <div className="rows" ref={scroller} role="rowgroup">
        <div className="tall" role="presentation" style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => {
            const alert = alerts[item.index];
            if (alert === undefined) return null;
            return <AlertRow key={keyOf(alert)} alert={alert} index={item.index + 2} top={item.start} selected={keyOf(alert) === cursor} now={now} />;
          })}
        </div>
      </div>
    </div>
  );
}

interface AlertRowProps {
  alert: CurrentAlert;
  index: number;
  top: number;
  selected: boolean;
  now: number;
}

function AlertRow({ alert: a, index, top, selected, now }: AlertRowProps) {
  const calm = a.status !== "firing" || a.suppressed !== null;
  return (
    <div
      role="row" id={`alert-${index - 2}`} data-id={keyOf(a)} className={`r ${a.severity}${calm ? " calm" : ""}`} style={{ transform: `translateY(${top}px)` }}
      aria-rowindex={index} aria-selected={selected}
    >
      <div role="gridcell"><SeverityMark severity={a.severity} /></div>
      <div role="gridcell" title={a.suppressed ?? undefined}>{a.suppressed === null ? a.status : <span className="chip hatch">{suppressedWord(a)}</span>}</div>
      <div role="gridcell" className="clip ink">{alertName(a)}</div>
      <div role="gridcell" className="clip">
        {a.item ?? <><span className="chip line">unbound</span> {alertItem(a)} <span className="muted" title={a.tried}>{a.tried === undefined || a.tried === "" ? "" : `tried ${a.tried}`}</span></>}
      </div>
      <div role="gridcell">{a.incidentNumber === null ? <span className="muted">none</span> : <IncidentLink number={a.incidentNumber} />}</div>
      <div role="gridcell" className="clip muted">{a.source}</div>
      <div role="gridcell" className="num">{age(now - Date.parse(a.lastStartsAt))}</div>
      <div role="gridcell"><AlertLinks alert={a} /></div>
    </div>
  );
}

function IncidentLink({ number }: { number: string }) {
  return (
    <a
      href={`/incidents/${encodeURIComponent(number)}`}
      onClick={(e) => {
        if (e.ctrlKey || e.metaKey || e.shiftKey) return;
        e.preventDefault();
        go({ page: "incidents", incident: number });
      }}
    >
      {number}
    </a>
  );
}

function AlertPanel({ alert: a, onClose }: { alert: CurrentAlert; onClose: () => void }) {
  return (
    <aside className="panel" aria-label={`Alert ${alertName(a)}`}>
      <div className="ph">
        <div className="l1">
          <SeverityMark severity={a.severity} /><span>{a.status}</span>
          {a.incidentNumber !== null && <IncidentLink number={a.incidentNumber} />}
          <span className="grow" /><AlertLinks alert={a} />
          <button type="button" className="btn quiet icon" aria-label="Close the panel (Esc)" title="Close the panel (Esc)" onClick={onClose}><Icon name="cross" /></button>
        </div>
        <h2>{alertName(a)}</h2>
        <p>{alertItem(a)}</p>
      </div>
      <div className="pb"><section className="sec"><AlertDetails alert={a} /></section></div>
    </aside>
  );
}
