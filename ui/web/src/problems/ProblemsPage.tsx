// Candidates for problems: what recurs, why it is proposed, what it costs, and what people decide.
import { useState } from "react";
import { decideProblem, getProblems, sentence } from "../api/client";
import type { Candidate } from "../api/model";
import { useBoard, useDead, useNow, usePerson, useServices } from "../app/context";
import { useKeys } from "../app/keys";
import { go, goTo, type Route, useSearch } from "../app/route";
import { Banner } from "../board/Banner";
import { WayIn } from "../history/place";
import { useLoad } from "../lib/load";
import { Icon } from "../lib/marks";
import { moment, until } from "../lib/time";
import { figure, plural } from "../lib/words";
import { cutOff } from "../panel/CommandBar";
import { type Asked, DecideDialog } from "./DecideDialog";
import { type Body, costWords, doneWords, effectSentence, lastDays, possible, ruleWords, stateWords, tabs, type Verb } from "./words";

const refreshEvery = 5_000;

function address(tab: string, problem: string | null): string {
  const params = new URLSearchParams();
  if (tab !== "") params.set("tab", tab);
  if (problem !== null) params.set("problem", problem);
  return params.size === 0 ? "/problems" : `/problems?${params.toString()}`;
}

/** Gives decisions on candidates, one after the other, and says what came of them. */
function useDecide(reload: () => void) {
  const { commands } = useServices();
  const me = usePerson();
  return async (verb: Verb, of: readonly Candidate[], body: Body = {}) => {
    let done = 0;
    for (const c of of) {
      try {
        await decideProblem(c.id, verb, me === "" ? body : { by: me, ...body });
        done++;
      } catch (e) {
        commands.refuse(`${c.title}: not done. ${sentence(e)}`);
        break;
      }
    }
    if (done > 0 && done === of.length) commands.note(`${doneWords[verb]} ${done === 1 ? (of[0]?.title ?? "") : plural(done, "candidate")}`);
    reload();
  };
}

export function ProblemsPage({ route }: { route: Route }) {
  const dead = useDead();
  const paused = useBoard((s) => s.paused);
  const now = useNow();
  const [changed, setChanged] = useState(0);
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const [asked, setAsked] = useState<Asked | null>(null);
  const chosen = new URLSearchParams(useSearch()).get("problem");
  const loaded = useLoad("problems", `${Math.floor((paused === null ? now : paused.since) / refreshEvery)}/${changed}`, 0, getProblems);
  const all = loaded.value?.problems ?? null;
  const states = tabs.find(([tab]) => tab === route.tab)?.[2] ?? ["proposed"];
  const shown = all?.filter((c) => states.includes(c.state)) ?? [];
  const row = all?.find((c) => c.id === chosen);
  const decide = useDecide(() => setChanged((n) => n + 1));
  const marked = shown.filter((c) => picked.has(c.id));
  const of = marked.length > 0 ? marked : row === undefined ? [] : [row];
  const give = (verb: Verb, body?: Body) => {
    const can = of.filter((c) => possible(verb, c));
    if (dead || can.length === 0) return;
    setPicked(new Set());
    setAsked(null);
    void decide(verb, can, body);
  };
  const ask = (verb: Asked) => { if (!dead && of.length > 0) setAsked(verb); };
  const pick = (id: string) => setPicked((s) => new Set(s.has(id) ? [...s].filter((x) => x !== id) : [...s, id]));
  const move = (by: number) => {
    const at = shown.findIndex((c) => c.id === chosen);
    const next = shown[at < 0 ? (by > 0 ? 0 : shown.length - 1) : Math.min(shown.length - 1, Math.max(0, at + by))];
    if (next !== undefined) goTo(address(route.tab, next.id), chosen !== null);
  };
  const close = () => (picked.size > 0 ? setPicked(new Set()) : goTo(address(route.tab, null)));
  useKeys({
    Escape: close, j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1),
    x: () => { if (row !== undefined) pick(row.id); }, "Ctrl+a": () => setPicked(new Set(shown.map((c) => c.id))),
    a: () => give("accept"), A: () => give("reopen"), d: () => ask("dismiss"), s: () => ask("suppress"), f: () => ask("fixed"),
  });
  return (
    <main className={row === undefined ? "work" : "work open"}>
      <section className="list" aria-label="Problems">
        <div className="tabs">
          <Tabs all={all} tab={route.tab} />
          <span className="grow" />
          {marked.length > 0 && <><span className="muted picked">{figure(marked.length)} selected</span><Verbs of={marked} dead={dead} onGive={give} onAsk={ask} /></>}
        </div>
        <Banner />
        {loaded.error !== null && <p className="oops" role="alert">The candidates could not be read. {sentence(loaded.error)}</p>}
        {all !== null && (shown.length === 0 ? <None tab={route.tab} /> : <Table list={shown} tab={route.tab} chosen={chosen} picked={picked} onPick={pick} now={now} />)}
        <p className="under" role="status">{all !== null && `${plural(shown.length, "candidate")}, the dearest first: minutes of their incidents of the last 30 days × impacted services.`}</p>
      </section>
      {row !== undefined && <Panel key={row.id} candidate={row} dead={dead} now={now} onGive={give} onAsk={ask} onClose={() => goTo(address(route.tab, null))} />}
      {asked !== null && of.length > 0 && <DecideDialog verb={asked} of={of} onClose={() => setAsked(null)} onDone={(body) => give(asked, body)} />}
    </main>
  );
}

function Tabs({ all, tab }: { all: readonly Candidate[] | null; tab: string }) {
  return (
    <div role="group" aria-label="States" className="tabset">
      {tabs.map(([id, name, states]) => {
        const n = all?.filter((c) => states.includes(c.state)).length ?? null;
        return (
          <button key={id} type="button" className="tab" aria-pressed={id === tab} onClick={() => go({ tab: id })}>
            {name} {n !== null && <span className={n === 0 ? "n zero" : "n"}>{figure(n)}</span>}
          </button>
        );
      })}
    </div>
  );
}

function None({ tab }: { tab: string }) {
  return (
    <div className="msg">
      <h2>{tab === "" ? "Nothing to decide" : "No candidate"}</h2>
      <p>Incidents that come again and again are proposed here once they are resolved.</p>
    </div>
  );
}

interface VerbsProps {
  of: readonly Candidate[];
  dead: boolean;
  onGive: (verb: Verb) => void;
  onAsk: (verb: Asked) => void;
}

function Verbs({ of, dead, onGive, onAsk }: VerbsProps) {
  const why = dead ? cutOff : undefined;
  const button = (verb: Verb, name: string, key: string, run: () => void) => of.some((c) => possible(verb, c)) && (
    <button type="button" className={verb === "accept" ? "btn sm primary" : "btn sm"} disabled={dead} title={why ?? `Key ${key}`} onClick={run}>{name}</button>
  );
  return (
    <span className="verbs">
      {button("accept", "Accept", "A", () => onGive("accept"))}
      {button("dismiss", "Dismiss …", "D", () => onAsk("dismiss"))}
      {button("suppress", "Suppress …", "S", () => onAsk("suppress"))}
      {button("fixed", "Fixed …", "F", () => onAsk("fixed"))}
      {button("reopen", "Take back", "Shift A", () => onGive("reopen"))}
    </span>
  );
}

interface TableProps {
  list: readonly Candidate[];
  tab: string;
  chosen: string | null;
  picked: ReadonlySet<string>;
  onPick: (id: string) => void;
  now: number;
}

function Table({ list, tab, chosen, picked, onPick, now }: TableProps) {
  const most = Math.max(1, ...list.map((c) => c.cost));
  return (
    <div className="fill scroll">
      <table className="problems">
        <thead><tr>
          <th scope="col"><span className="sr">Select</span></th><th scope="col">What</th><th scope="col">Why</th><th scope="col">Last 30 days</th>
          <th scope="col" className="num">Incidents</th><th scope="col">Cost</th><th scope="col">Last</th>
        </tr></thead>
        <tbody>
          {list.map((c) => (
            <tr key={c.id} aria-current={c.id === chosen ? "true" : undefined} onClick={() => goTo(address(tab, c.id), chosen !== null)}>
              <td onClick={(e) => e.stopPropagation()}><input type="checkbox" aria-label={`Select ${c.title}`} checked={picked.has(c.id)} onChange={() => onPick(c.id)} /></td>
              <td className="ink"><WayIn to={address(tab, c.id)}>{c.title}</WayIn> {tab === "dismissed" && <span className="chip line">{stateWords[c.state]}</span>}</td>
              <td>{c.evidence.map((e) => <span key={e.rule} className="chip line" title={e.text}>{ruleWords[e.rule]}</span>)}</td>
              <td><Spark candidate={c} now={now} /></td>
              <td className="num">{figure(c.incidentCount)}</td>
              <td className="cost" title={costWords(c.cost)}><i style={{ width: `${Math.max(1, Math.round((c.cost / most) * 100))}%` }} /><span>{figure(Math.round(c.cost))}</span></td>
              <td>{moment(c.lastAt, new Date(now))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A bar for each of the last 30 days; the figures stand in its title, and in the panel. */
function Spark({ candidate: c, now }: { candidate: Candidate; now: number }) {
  const counts = lastDays(c.days, now);
  const most = Math.max(1, ...counts);
  const text = `On ${plural(c.days.length, "day")} of the last 30`;
  return (
    <svg className="spark" role="img" aria-label={text} width="120" height="18" viewBox="0 0 120 18">
      <title>{text}</title>
      {counts.map((n, i) => <rect key={i} x={i * 4} width="3" y={n === 0 ? 17 : 17 - Math.max(3, (n / most) * 16)} height={n === 0 ? 1 : Math.max(3, (n / most) * 16) + 1} className={n === 0 ? "none" : "some"} />)}
    </svg>
  );
}

interface PanelProps {
  candidate: Candidate;
  dead: boolean;
  now: number;
  onGive: (verb: Verb) => void;
  onAsk: (verb: Asked) => void;
  onClose: () => void;
}

function Panel({ candidate: c, dead, now, onGive, onAsk, onClose }: PanelProps) {
  const at = new Date(now);
  return (
    <aside className="panel" aria-label={`Candidate ${c.title}`}>
      <div className="ph">
        <div className="l1"><span className="chip line">{stateWords[c.state]}</span><span className="grow" /><button type="button" className="btn quiet icon" aria-label="Close (Esc)" title="Close (Esc)" onClick={onClose}><Icon name="cross" /></button></div>
        <h2>{c.title}</h2>
        <dl className="facts">
          <div><dt>Incidents</dt><dd>{figure(c.incidentCount)}</dd></div>
          <div><dt>Minutes</dt><dd>{figure(Math.round(c.minutes))}</dd></div>
          <div><dt>Services</dt><dd>{figure(c.services.length)}</dd></div>
          <div><dt>Cost</dt><dd>{costWords(c.cost)}</dd></div>
          <div><dt>First</dt><dd>{moment(c.firstAt, at)}</dd></div>
          <div><dt>Last</dt><dd>{moment(c.lastAt, at)}</dd></div>
        </dl>
        <Verbs of={[c]} dead={dead} onGive={onGive} onAsk={onAsk} />
      </div>
      <div className="pb source">
        {c.decidedAt !== null && (
          <section>
            <h3>{stateWords[c.state]} <span className="muted">by {c.decidedBy} {moment(c.decidedAt, at)}{c.until !== null && `, until ${until(c.until, at)}`}</span></h3>
            {c.reason !== null && <p className="ink">{c.reason}</p>}
          </section>
        )}
        {c.effect !== null && c.fixedAt !== null && <section><h3>Since the fix <span className="muted">of {moment(c.fixedAt, at)}</span></h3><p className="ink">{effectSentence(c.effect)}</p></section>}
        <section>
          <h3>Why it is proposed</h3>
          {c.evidence.length === 0 && <p>No rule holds{c.state === "emerging" && " yet; one more incident, and one does"}.</p>}
          <ul>{c.evidence.map((e) => <li key={e.rule}><span className="chip line">{ruleWords[e.rule]}</span> {e.text}</li>)}</ul>
          <Spark candidate={c} now={now} />
        </section>
        <Common candidate={c} />
        <section>
          <h3>Incidents {c.incidentCount > c.incidents.length && <span className="muted">the latest {figure(c.incidents.length)}</span>}</h3>
          <table>
            <thead><tr><th scope="col">Number</th><th scope="col">Title</th><th scope="col">Minutes</th><th scope="col">Opened</th></tr></thead>
            <tbody>{c.incidents.map((i) => (
              <tr key={i.id}><td><WayIn to={`/incidents/${encodeURIComponent(i.number)}`}>{i.number}</WayIn></td><td>{i.title}</td><td>{figure(Math.round(i.minutes))}</td><td>{moment(i.openedAt, at)}</td></tr>
            ))}</tbody>
          </table>
        </section>
      </div>
    </aside>
  );
}

/** What the incidents have in common. */
function Common({ candidate: { subject: s, services } }: { candidate: Candidate }) {
  const facts: [string, string][] = [
    [s.kind === "pair" ? "Items" : "Item", s.items.join(", ")], ["Class", s.class], ["Alerts", s.alertTypes.join(", ")], ["Change", s.change], ["Services hurt", services.join(", ")],
  ];
  return (
    <section>
      <h3>In common</h3>
      <dl className="common">{facts.filter(([, text]) => text !== "").map(([name, text]) => <div key={name}><dt>{name}</dt><dd>{text}</dd></div>)}</dl>
    </section>
  );
}
