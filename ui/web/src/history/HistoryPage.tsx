// The past: alerts, incidents and changes of a window, over time and as a list, and each of them in detail.
import { type KeyboardEvent, type ReactNode, useCallback, useMemo, useState, useSyncExternalStore } from "react";
import { Problem, sentence } from "../api/client";
import { useServices } from "../app/context";
import { useKeys } from "../app/keys";
import { goTo, useSearch } from "../app/route";
import { Banner } from "../board/Banner";
import { QueryBar } from "../board/QueryBar";
import { copyText } from "../lib/copy";
import { useLoad } from "../lib/load";
import { withoutLast } from "../lib/query";
import { shownZone } from "../lib/time";
import { type Address, carried, readAddress, type Tab, tabs, writeAddress } from "./address";
import { alerts } from "./alerts";
import { exportAddress, getRevisions, getVolume, isMissing, isMistake, type Question } from "./api";
import { RangePicker, SpanLine } from "./bars";
import { changes } from "./changes";
import { VolumeChart } from "./chart";
import { incidents } from "./incidents";
import type { Kind } from "./kind";
import { NotYet, PastList, under } from "./list";
import { Numbers, NumbersContext } from "./numbers";
import { type Pages, usePages } from "./pages";
import { PlaceContext } from "./place";
import { iso, resolve, type Span } from "./range";
import { wider } from "./volume";
import { Written } from "./Written";

export function HistoryPage() {
  const { store } = useServices();
  const search = useSearch();
  const address = useMemo(() => readAddress(search), [search]);
  useSyncExternalStore(shownZone.subscribe, shownZone.get); // everything here shows times
  const present = useCallback(() => Date.now() + store.getSnapshot().clockOffset, [store]);
  const [asOf, setAsOf] = useState(present);
  const [numbers] = useState(() => new Numbers(async (id) => (await getRevisions(id, 1, new AbortController().signal))[0]?.number ?? null));
  const place = useMemo(() => ({ address, now: asOf }), [address, asOf]);
  const refresh = useCallback(() => setAsOf(present()), [present]);
  const shared = { address, asOf, onRefresh: refresh };
  return (
    <PlaceContext value={place}>
      <NumbersContext value={numbers}>
        {address.tab === "alerts" ? <Past key="alerts" kind={alerts} {...shared} />
          : address.tab === "incidents" ? <Past key="incidents" kind={incidents} {...shared} /> : <Past key="changes" kind={changes} {...shared} />}
      </NumbersContext>
    </PlaceContext>
  );
}

interface PastProps<T> {
  kind: Kind<T>;
  address: Address;
  /** The end of the ranges that move, in ms. */
  asOf: number;
  onRefresh: () => void;
}

function Past<T>({ kind, address, asOf, onRefresh }: PastProps<T>) {
  const { commands } = useServices();
  const { tab, q, open } = address;
  const [typing, setTyping] = useState(false);
  const [cursor, setCursor] = useState<string | null>(open);
  const to = (part: Partial<Address>, replace = false) => goTo(writeAddress({ ...address, ...part }), replace);
  const { span, onPick, onWiden } = useZoom(address, asOf, to);
  const question = { q, span };
  const scope = [q, iso(span.from), iso(span.to), asOf].join("\n");
  const pages = usePages(scope, (at, signal) => kind.read(question, at, signal));
  // The chart counts alerts; a query about incidents or changes says nothing to it.
  const volumeOf: Question = { q: tab === "alerts" ? q : "", span };
  const volume = useLoad("volume", [volumeOf.q, iso(span.from), iso(span.to), asOf].join("\n"), 0, (signal) => getVolume(volumeOf, signal));

  const at = cursor === null ? -1 : pages.rows.findIndex((row) => kind.keyOf(row) === cursor);
  const move = (by: number) => {
    const row = pages.rows[at < 0 ? (by > 0 ? 0 : pages.rows.length - 1) : Math.min(pages.rows.length - 1, Math.max(0, at + by))];
    if (row === undefined) return;
    setCursor(kind.keyOf(row));
    if (open !== null) to({ open: kind.keyOf(row) }, true);
  };
  const show = (key: string) => {
    setCursor(key);
    to({ open: key === open ? null : key });
  };
  const goTab = (next: Tab) => next !== tab && to({ tab: next, q: carried(q, tab, next), open: null });
  useKeys({
    Escape: () => {
      if (open !== null) to({ open: null });
      else if (onWiden !== null) onWiden();
      else if (q !== "") to({ q: "" });
      else setCursor(null);
    },
    j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1), PageDown: () => move(20), PageUp: () => move(-20),
    Home: () => move(-Infinity), End: () => move(Infinity), Enter: () => cursor !== null && at >= 0 && to({ open: cursor }), n: onRefresh,
    l: () => void copyText(location.href).then((ok) => commands.note(ok ? "Link copied" : `Copy by hand: ${location.href}`)),
    ...Object.fromEntries(tabs.map((t, i) => [String(i + 1), () => goTab(t.id)])),
  });

  const missing = isMissing(volume.error) ? volume.error : isMissing(pages.error) ? pages.error : null;
  const chosen = open === null ? undefined : pages.rows.find((row) => kind.keyOf(row) === open);
  return (
    <main className={open === null ? "work" : "work open"}>
      <section className="list" aria-label="History">
        <div className="tabs"><Tabs tab={tab} onTab={goTab} /><span className="grow" />{missing === null && <Export tab={tab} question={question} />}</div>
        <QueryBar q={q} error={isMistake(pages.error) ? sentence(pages.error) : null} placeholder={kind.placeholder} onChange={(next) => to({ q: next }, true)}>
          <RangePicker
            range={address.range} typing={typing} onType={() => setTyping(!typing)}
            onPreset={(range) => {
              setTyping(false);
              onRefresh();
              to({ range, zoom: null });
            }}
          />
        </QueryBar>
        <Banner />
        {missing === null && <Written />}
        {missing !== null ? <NoHistory error={missing} /> : (
          <>
            <SpanLine
              span={span} zoomed={onWiden !== null} asOf={asOf} typing={typing} onWiden={() => onWiden?.()} onRefresh={onRefresh}
              onSpan={(range) => {
                setTyping(false);
                if (range !== null) to({ range, zoom: null });
              }}
            />
            {volume.error !== null && !isMistake(volume.error) && <p className="oops" role="alert">The chart could not be read. {sentence(volume.error)}</p>}
            {(volume.value !== null || volume.error === null) && <VolumeChart volume={volume.value} of={q === "" ? "" : tab === "alerts" ? " of those that match" : ", the filter left aside"} onPick={onPick} onWiden={onWiden} />}
            <Rows kind={kind} pages={pages} q={q} asOf={asOf} cursor={cursor} onOpen={show} onWhole={() => to({ q: withoutLast(q) })} />
          </>
        )}
      </section>
      {open !== null && missing === null && <kind.Panel key={open} open={open} row={chosen} onClose={() => to({ open: null })} />}
    </main>
  );
}

/** The window that is shown, and the ways into a part of it and back. */
function useZoom({ range, zoom }: Address, asOf: number, to: (part: Partial<Address>) => void): { span: Span; onPick: (part: Span) => void; onWiden: (() => void) | null } {
  // The windows on the way into the present one.
  const [trail, setTrail] = useState<readonly Span[]>([]);
  return {
    span: zoom ?? resolve(range, asOf),
    onPick: (part) => {
      if (zoom !== null) setTrail([...trail, zoom]);
      to({ zoom: part });
    },
    onWiden: zoom === null ? null : () => {
      const back = wider(trail, zoom);
      setTrail(back.trail);
      to({ zoom: back.zoom });
    },
  };
}

/** One tab stop; the arrows go from tab to tab. */
function Tabs({ tab, onTab }: { tab: Tab; onTab: (tab: Tab) => void }) {
  const step = (e: KeyboardEvent<HTMLElement>) => {
    const by = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
    const next = tabs[(tabs.findIndex((t) => t.id === tab) + by + tabs.length) % tabs.length];
    if (by !== 0 && next !== undefined) onTab(next.id);
  };
  return (
    // Keys come from whichever tab has the focus.
    // eslint-disable-next-line jsx-a11y/interactive-supports-focus
    <div role="tablist" aria-label="Kinds" onKeyDown={step}>
      {tabs.map((t) => (
        <button key={t.id} type="button" role="tab" className="tab" aria-selected={t.id === tab} aria-controls="past" tabIndex={t.id === tab ? 0 : -1} onClick={() => onTab(t.id)}>{t.name}</button>
      ))}
    </div>
  );
}

const exportTitle = "Everything in this window that matches, at most 1,000,000 rows";

function Export({ tab, question }: { tab: Tab; question: Question }) {
  return (
    <span className="export">
      Export
      <a className="btn quiet sm" href={exportAddress(tab, question, "csv")} download title={exportTitle}>CSV</a>
      <a className="btn quiet sm" href={exportAddress(tab, question, "jsonl")} download title={exportTitle}>JSON lines</a>
    </span>
  );
}

function NoHistory({ error }: { error: unknown }) {
  const how = error instanceof Problem ? error.detail : sentence(error);
  return (
    <div className="msg" role="status">
      <h2>No history is kept</h2>
      <p className="how">{how.charAt(0).toUpperCase() + how.slice(1)}.</p>
      <p className="muted">Everything else works without it. Once it is turned on, history begins with what the log still holds.</p>
    </div>
  );
}

interface RowsProps<T> {
  kind: Kind<T>;
  pages: Pages<T>;
  q: string;
  asOf: number;
  cursor: string | null;
  onOpen: (key: string) => void;
  /** Takes the last matcher away. */
  onWhole: () => void;
}

function Rows<T>({ kind, pages, q, asOf, cursor, onOpen, onWhole }: RowsProps<T>): ReactNode {
  const [since] = useState(() => Date.now());
  const [one, many] = kind.words;
  const broken = pages.error !== null && !isMistake(pages.error);
  return (
    <div id="past" role="tabpanel" aria-label={kind.tab} className="fill">
      {broken && (
        <p className="oops" role="alert">
          {pages.empty ? `The ${many} could not be read.` : `No more ${many} could be read.`} {sentence(pages.error)} <button type="button" className="a" onClick={pages.retry}>Try again</button>
        </p>
      )}
      {pages.empty && isMistake(pages.error) && (
        <div className="msg">
          <h2>The filter cannot be read</h2>
          <p>{sentence(pages.error)}</p>
          {q !== "" && <button type="button" className="btn" onClick={onWhole}>Remove last matcher</button>}
        </div>
      )}
      {pages.empty ? pages.error === null && <NotYet tab={kind.tab} columns={kind.columns} since={since} />
        : pages.rows.length > 0 ? (
          <PastList
            tab={kind.tab} label={`Past ${kind.tab}`} columns={kind.columns} pages={pages} keyOf={kind.keyOf} look={(row) => kind.look(row, asOf)} cursor={cursor} onOpen={onOpen}
          />
        ) : (
          <div className="msg">
            <h2>{q === "" ? `No ${one} in this window` : `No ${one} matches in this window`}</h2>
            <p>{q === "" ? "A wider range may hold some." : "The filter or the range hides them, or there are none."}</p>
            {q !== "" && <button type="button" className="btn" onClick={onWhole}>Remove last matcher</button>}
          </div>
        )}
      <p className="under" role="status">{under(pages, kind.words)}</p>
    </div>
  );
}
