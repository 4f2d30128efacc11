// The live queue: tabs, query, banner, table.
import { useCallback, useEffect, useMemo, useState } from "react";
import { matchingIncidents, sentence } from "../api/client";
import type { Row } from "../api/model";
import { useBoard, useCommandState, useNow, usePerson, useServices } from "../app/context";
import { go, type Route } from "../app/route";
import { useKeys } from "../app/keys";
import { useLoad } from "../lib/load";
import { Icon } from "../lib/marks";
import { terms, withoutLast } from "../lib/query";
import { figure, plural } from "../lib/words";
import { heldChanges, type Held } from "../store/order";
import { Banner } from "./Banner";
import { Grid } from "./Grid";
import { useHold } from "./hold";
import { countTabs, select, type SortKey, tabOf, tabs } from "./select";

export interface QueueProps {
  route: Route;
  /** The row that the keys speak of; the one in the panel when there is one. */
  cursor: string | null;
  setCursor: (id: string | null) => void;
}

// A board in a storm changes many times a second; the server is asked not more often than this whether rows still match.
const matchPace = 2_000;

export function Queue({ route, cursor, setCursor }: QueueProps) {
  const { store } = useServices();
  const view = useBoard((s) => s.view);
  const person = usePerson();
  const now = useNow();
  const { busy } = useCommandState();
  const [sort, setSort] = useState<SortKey>("priority");
  const [resolved, setResolved] = useState(true);
  const tab = tabOf(route.tab);
  const match = useMatching(route.q, view.version);

  const kept = route.incident === null ? null : cursor;
  const matching = match.ids;
  // view.version tells of changed rows; view.rows is the same map for ever.
  const wanted = useSame(useMemo(() => select(view.order, view.rows, { tab, person, matching, resolved, sort, kept }), [view, tab, person, matching, resolved, sort, kept]));
  const counts = useMemo(() => countTabs(view.rows, person), [view, person]);
  const { order, held, touch, release } = useHold(wanted, [tab, route.q, resolved, sort].join("\n"));
  const find = useCallback((id: string) => store.find(id), [store]);

  const open = useCallback((row: Row) => {
    setCursor(row.id);
    go({ incident: row.number });
  }, [setCursor]);
  const move = useCallback((by: number) => {
    touch();
    const at = cursor === null ? -1 : order.indexOf(cursor);
    const id = order[at < 0 ? (by > 0 ? 0 : order.length - 1) : Math.min(order.length - 1, Math.max(0, at + by))];
    const row = id === undefined ? undefined : store.find(id);
    if (row === undefined) return;
    setCursor(row.id);
    if (route.incident !== null) go({ incident: row.number }, true);
  }, [cursor, order, route.incident, setCursor, store, touch]);
  useKeys({
    j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1), PageDown: () => move(20), PageUp: () => move(-20),
    Home: () => move(-Infinity), End: () => move(Infinity), n: release,
    Enter: () => {
      const row = cursor === null ? undefined : store.find(cursor);
      if (row !== undefined) open(row);
    },
  });

  const hidden = counts[tab] - wanted.length;
  return (
    <section className="list" aria-label="Live queue">
      <div className="tabs" role="tablist" aria-label="States">
        {tabs.map((t) => (
          <button
            key={t.id} type="button" role="tab" className="tab" aria-selected={t.id === tab} aria-controls="queue"
            onClick={() => go({ tab: t.id })}
          >
            {t.name} <span className={tabClass(t.id, counts[t.id])}>{figure(counts[t.id])}</span>
          </button>
        ))}
        <span className="grow" />
        <HeldChip held={held} find={find} onRelease={release} />
      </div>
      <QueryBar
        q={route.q} error={match.error} placeholder='Filter: a word, or matchers such as priority<=2 site="dc-north"'
        onChange={(q) => go({ q }, true)}
      >
        {tab === "" && (
          <label className="toggle"><input type="checkbox" checked={resolved} onChange={(e) => setResolved(e.target.checked)} />Resolved</label>
        )}
      </QueryBar>
      <Banner />
      <div id="queue" role="tabpanel" aria-label={tabs.find((t) => t.id === tab)?.name} className="fill">
        {order.length === 0 ? (
          <Nothing q={route.q} hidden={hidden} tab={tabs.find((t) => t.id === tab)?.name ?? ""} />
        ) : (
          <Grid
            order={order} find={find} rows={view.rows} cursor={cursor} busy={busy} sort={sort} now={now}
            onSort={setSort} onOpen={open} onTouch={touch} onLeave={release}
          />
        )}
      </div>
    </section>
  );
}

const tabClass = (id: string, n: number): string => (n === 0 ? "n zero" : id === "unhandled" ? "n hot" : "n");

/** The same array while its content is the same: most changes of rows change no order. */
function useSame(next: readonly string[]): readonly string[] {
  const [same, setSame] = useState(next);
  const equal = same === next || (same.length === next.length && same.every((id, i) => id === next[i]));
  if (!equal) setSame(next);
  return equal ? same : next;
}

function useMatching(q: string, version: number): { ids: ReadonlySet<string> | null; error: string | null } {
  const wanted = terms(q).length > 0;
  const loaded = useLoad(q, wanted ? String(version) : "", matchPace, async (signal) => (wanted ? matchingIncidents(q, signal) : null));
  return { ids: loaded.value, error: loaded.error === null ? null : sentence(loaded.error) };
}

function HeldChip({ held, find, onRelease }: { held: Held; find: (id: string) => Row | undefined; onRelease: () => void }) {
  const changes = heldChanges(held);
  if (changes === 0) return null;
  const best = Math.min(...held.added.map((id) => find(id)?.priority ?? 5));
  return (
    <>
      <span className="frozen">Order held</span>
      <button type="button" className="pill" onClick={onRelease} title="Take them in (N)">
        {plural(changes, "change")}{held.added.length > 0 && <span>{held.added.length} new, P{best}</span>}<kbd>N</kbd>
      </button>
    </>
  );
}

export interface QueryBarProps {
  q: string;
  error: string | null;
  placeholder: string;
  onChange: (q: string) => void;
  children?: React.ReactNode;
}

/** The box for a query. What is typed counts after a short rest. */
export function QueryBar({ q, error, placeholder, onChange, children }: QueryBarProps) {
  const [text, setText] = useState(q);
  const [before, setBefore] = useState(q);
  if (before !== q) { // the address has changed by other means
    setBefore(q);
    if (text.trim() !== q) setText(q);
  }
  useEffect(() => {
    if (text.trim() === q) return;
    const timer = setTimeout(() => onChange(text.trim()), 250);
    return () => clearTimeout(timer);
    // A new onChange with each render must not put the end of the rest off.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [text, q]);
  return (
    <div className="query" role="search">
      <label className={error === null ? "qbox" : "qbox bad"}>
        <Icon name="search" />
        <span className="sr">Filter</span>
        <input
          id="query" type="text" value={text} placeholder={placeholder} spellCheck={false} autoComplete="off"
          aria-invalid={error !== null} aria-describedby={error === null ? undefined : "query-error"}
          onChange={(e) => setText(e.target.value)}
          onKeyDown={(e) => {
            if (e.key === "Escape") {
              if (text === "") e.currentTarget.blur();
              setText("");
              e.stopPropagation();
            } else if (e.key === "Enter") {
              onChange(text.trim());
              e.currentTarget.blur();
            }
          }}
        />
        {error !== null && <span id="query-error" className="qerr" role="alert">{error}</span>}
        <kbd>/</kbd>
      </label>
      {children}
    </div>
  );
}

function Nothing({ q, hidden, tab }: { q: string; hidden: number; tab: string }) {
  if (q === "") return <div className="msg"><h2>No incident here</h2><p>{tab} has no incident at the moment.</p></div>;
  return (
    <div className="msg">
      <h2>No incident matches</h2>
      <p>{hidden > 0 ? `${plural(hidden, "incident")} ${hidden === 1 ? "is" : "are"} hidden by the filter.` : `${tab} has no incident at the moment.`}</p>
      <button type="button" className="btn" onClick={() => go({ q: withoutLast(q) })}>Remove last matcher</button>
    </div>
  );
}
