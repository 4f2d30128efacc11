// The live queue: tabs, query, banner, table.
import { type KeyboardEvent, useCallback, useMemo, useState } from "react";
import { matchingIncidents, sentence } from "../api/client";
import type { Action, Row } from "../api/model";
import { useBoard, useCommandState, useBoardNow, usePerson, useServices } from "../app/context";
import { go, type Route } from "../app/route";
import { useKeys } from "../app/keys";
import { clocksOf } from "../lib/due";
import { useLoad } from "../lib/load";
import { terms } from "../lib/query";
import { figure, plural } from "../lib/words";
import { heldChanges, type Held } from "../store/order";
import { Banner } from "./Banner";
import { Choice } from "./Choice";
import { Nothing, NotYet } from "./Empty";
import { Grid } from "./Grid";
import { useHold } from "./hold";
import { QueryBar } from "./QueryBar";
import { countTabs, select, type SortKey, type TabId, tabOf, tabs } from "./select";
import type { Chosen } from "./selection";

export interface QueueProps {
  route: Route;
  /** The row that the keys speak of; the one in the panel when there is one. */
  cursor: string | null;
  setCursor: (id: string | null) => void;
  chosen: Chosen;
  /** The server does not answer. */
  dead: boolean;
  onGive: (action: Action, rows: readonly Row[]) => void;
  onToMe: (rows: readonly Row[]) => void;
}

// A board in a storm changes many times a second; the server is asked not more often than this whether rows still match.
const matchPace = 2_000;

export function Queue({ route, cursor, setCursor, chosen, dead, onGive, onToMe }: QueueProps) {
  const { store } = useServices();
  const view = useBoard((s) => s.view);
  const person = usePerson();
  const now = useBoardNow();
  const { busy } = useCommandState();
  const [sort, setSort] = useState<SortKey>("priority");
  const loaded = useBoard((s) => s.loaded);
  const tab = tabOf(route.tab);
  const match = useMatching(route.q, view.version);

  const kept = route.incident === null ? null : cursor;
  const matching = match.ids;
  const minute = Math.floor(now / 60_000) * 60_000;
  const wanted = useSame(useMemo(() => select(view.order, view.rows, { tab, person, matching, now: minute, sort, kept }), [view, tab, person, matching, minute, sort, kept]));
  const counts = useMemo(() => countTabs(view.rows, person), [view, person]);
  const due = useMemo(() => [...view.rows.values()].some((r) => clocksOf(r).length > 0), [view]);
  const { order, held, touch, release } = useHold(wanted, [tab, route.q, sort].join("\n"));
  const find = useCallback((id: string) => store.find(id), [store]);

  const open = useCallback((row: Row) => {
    setCursor(row.id);
    go({ incident: row.number });
  }, [setCursor]);
  const move = useCallback((by: number, choosing = false) => {
    touch();
    const at = cursor === null ? -1 : order.indexOf(cursor);
    const from = at < 0 && by < 0 ? order.length : at; // without a cursor: from outside, at the near end
    const id = order[Math.min(order.length - 1, Math.max(0, from + by))];
    const row = id === undefined ? undefined : store.find(id);
    if (row === undefined) return;
    if (choosing) chosen.extend(order, cursor ?? row.id, row.id);
    setCursor(row.id);
    if (route.incident !== null) go({ incident: row.number }, true);
  }, [chosen, cursor, order, route.incident, setCursor, store, touch]);
  const choose = useCallback((row: Row, range: boolean) => {
    touch();
    if (range && cursor !== null) chosen.extend(order, cursor, row.id);
    else chosen.toggle(row.id);
    if (route.incident === null) setCursor(row.id);
  }, [chosen, cursor, order, route.incident, setCursor, touch]);
  const quick = useCallback((row: Row, action: "acknowledge" | "assign") => (action === "assign" ? onToMe([row]) : onGive(action, [row])), [onGive, onToMe]);
  useKeys({
    j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1), PageDown: () => move(20), PageUp: () => move(-20),
    Home: () => move(-Infinity), End: () => move(Infinity), n: release,
    "Shift+ArrowDown": () => move(1, true), "Shift+ArrowUp": () => move(-1, true), "Ctrl+a": () => chosen.replace(order),
    x: () => cursor !== null && chosen.toggle(cursor),
    ...Object.fromEntries(tabs.map((t, i) => [String((i + 1) % 10), () => go({ tab: t.id })])),
    Enter: () => {
      const row = cursor === null ? undefined : store.find(cursor);
      if (row !== undefined) open(row);
    },
  });

  const hidden = counts[tab] - wanted.length;
  return (
    <section className="list" aria-label="Live queue">
      <div className="tabs">
        <Tabs tab={tab} counts={loaded ? counts : null} />
        <span className="grow" />
        <HeldChip held={held} find={find} onRelease={release} />
      </div>
      <QueryBar
        q={route.q} error={match.error} placeholder='Filter: a word, or matchers such as priority<=2 site="dc-north"'
        onChange={(q) => go({ q }, true)}
      />
      {loaded && <Banner otherwise={<Choice chosen={chosen} order={order} dead={dead} onGive={onGive} onToMe={onToMe} />} />}
      <div id="queue" role="tabpanel" aria-label={tabs.find((t) => t.id === tab)?.name} className="fill">
        {!loaded ? <NotYet sort={sort} /> : order.length === 0 ? (
          <Nothing q={route.q} hidden={hidden} tab={tabs.find((t) => t.id === tab)?.name ?? ""} />
        ) : (
          <Grid
            order={order} find={find} rows={view.rows} cursor={cursor} chosen={chosen.ids} busy={busy} sort={sort} due={due} now={now}
            onSort={setSort} onOpen={open} onChoose={choose} onQuick={quick} onTouch={touch} onLeave={release}
          />
        )}
      </div>
    </section>
  );
}

/** One tab stop; the arrows go from tab to tab. */
function Tabs({ tab, counts }: { tab: TabId; counts: Record<TabId, number> | null }) {
  const step = (e: KeyboardEvent<HTMLElement>) => {
    const by = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
    const next = tabs[(tabs.findIndex((t) => t.id === tab) + by + tabs.length) % tabs.length];
    if (by === 0 || next === undefined) return;
    go({ tab: next.id });
    e.currentTarget.querySelector<HTMLElement>(`[data-tab="${next.id}"]`)?.focus();
  };
  return (
    // Keys come from whichever tab has the focus.
    // eslint-disable-next-line jsx-a11y/interactive-supports-focus
    <div role="tablist" aria-label="States" onKeyDown={step}>
      {tabs.map((t) => (
        <button
          key={t.id} type="button" role="tab" className="tab" data-tab={t.id} aria-selected={t.id === tab} aria-controls="queue" tabIndex={t.id === tab ? 0 : -1}
          onClick={() => go({ tab: t.id })}
        >
          {t.name} {counts !== null && <span className={tabClass(t.id, counts[t.id])}>{figure(counts[t.id])}</span>}
        </button>
      ))}
    </div>
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
      <span className="frozen">Order frozen</span>
      <button type="button" className="pill" onClick={onRelease} title="Take them in (N)">
        {held.added.length > 0 ? <>{figure(held.added.length)} new <span>{held.added.filter((id) => find(id)?.priority === best).length} P{best}</span></> : plural(changes, "change")}<kbd>N</kbd>
      </button>
    </>
  );
}
