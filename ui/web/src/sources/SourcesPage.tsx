// Who sends alerts: when last, how many were accepted, refused, bound, and the last payload of each.
import { getLastPayload, getSources, sentence } from "../api/client";
import type { LastPayload, PayloadAlert, SourceRow, Upstream } from "../api/model";
import { useBoard, useNow } from "../app/context";
import { useKeys } from "../app/keys";
import { goTo, useSearch } from "../app/route";
import { Banner } from "../board/Banner";
import { itemAddress } from "../history/address";
import { WayIn } from "../history/place";
import { useLoad } from "../lib/load";
import { Icon } from "../lib/marks";
import { matcher } from "../lib/query";
import { age, moment } from "../lib/time";
import { figure, plural } from "../lib/words";
import { Code } from "../pages/Code";
import { doorPath, heartbeatSentence, heartbeatWords, rate, signOf, stand } from "./words";

const refreshEvery = 5_000;

export const sourceAddress = (name: string): string => `/sources?${new URLSearchParams({ source: name }).toString()}`;
const alertsFrom = (name: string, ...more: string[]): string => `/alerts?${new URLSearchParams({ q: [matcher("source", "=", name), ...more].join(" ") }).toString()}`;

/** Ticks while the page is not paused. */
function useBeat(): number {
  const paused = useBoard((s) => s.paused);
  const now = useNow();
  return Math.floor((paused === null ? now : paused.since) / refreshEvery);
}

export function SourcesPage() {
  const chosen = new URLSearchParams(useSearch()).get("source");
  const beat = useBeat();
  const loaded = useLoad("sources", String(beat), 0, getSources);
  const all = loaded.value?.sources ?? null;
  const row = all?.find((s) => s.name === chosen);
  const close = () => goTo("/sources");
  const move = (by: number) => {
    if (all === null || all.length === 0) return;
    const at = all.findIndex((s) => s.name === chosen);
    const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))];
    if (next !== undefined) goTo(sourceAddress(next.name), chosen !== null);
  };
  useKeys({ Escape: close, j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1) });
  return (
    <main className={row === undefined ? "work" : "work open"}>
      <section className="list" aria-label="Sources">
        <Banner />
        {loaded.error !== null && <p className="oops" role="alert">The sources could not be read. {sentence(loaded.error)}</p>}
        {all !== null && (all.length === 0 ? <None /> : <Table sources={all} chosen={chosen} />)}
        <p className="under" role="status">
          {all !== null && `${plural(all.length, "source")}. Payloads, accepted and refused are what came through this process since it began; firing and bound are what all processes know.`}
        </p>
      </section>
      {row !== undefined && <SourcePanel key={row.name} source={row} beat={beat} onClose={close} />}
    </main>
  );
}

function None() {
  return (
    <div className="msg">
      <h2>No source has sent anything yet</h2>
      <p>Point an Alertmanager or a Prometheus here: <WayIn to="/connect">Connect</WayIn>.</p>
    </div>
  );
}

function Table({ sources, chosen }: { sources: readonly SourceRow[]; chosen: string | null }) {
  return (
    <div className="fill scroll">
      <table className="sources">
        <thead>
          <tr>
            <th scope="col">Source</th><th scope="col">Doors</th><th scope="col" className="num">Last payload</th><th scope="col" className="num">A minute</th>
            <th scope="col" className="num">Accepted</th><th scope="col" className="num">Refused</th><th scope="col" className="num">Firing</th>
            <th scope="col" className="num">Bound</th><th scope="col" className="num">Unbound</th><th scope="col">Heartbeat</th><th scope="col">What happened</th>
          </tr>
        </thead>
        <tbody>{sources.map((s) => <Line key={s.name} source={s} chosen={s.name === chosen} />)}</tbody>
      </table>
    </div>
  );
}

function Line({ source: s, chosen }: { source: SourceRow; chosen: boolean }) {
  const now = useNow();
  return (
    <tr aria-current={chosen ? "true" : undefined} className={signOf(s)} onClick={() => goTo(sourceAddress(s.name))}>
      <td title={s.name}><Mark source={s} /><WayIn to={sourceAddress(s.name)}>{s.name}</WayIn></td>
      <td title={s.doors.map(doorPath).join("\n")}>{s.doors.length === 0 ? "–" : s.doors.join(", ")}</td>
      <td className="num ink" title={s.lastAt ?? undefined}>{s.lastAt === null ? "–" : `${age(now - Date.parse(s.lastAt))} ago`}</td>
      <td className="num">{s.lastAt === null ? "–" : rate(s.perMinute)}</td>
      <td className="num">{s.lastAt === null ? "–" : figure(s.accepted)}</td>
      <td className={s.refused > 0 ? "num warn" : "num"}>{s.lastAt === null ? "–" : figure(s.refused)}</td>
      <td className="num">{figure(s.firing)}</td>
      <td className="num">{figure(s.bound)}</td>
      <td className={s.unbound > 0 ? "num ink" : "num"}>{figure(s.unbound)}</td>
      <td className={s.heartbeat?.state === "silent" ? "late" : ""} title={s.heartbeat === null ? "It has sent no Watchdog" : heartbeatSentence(s.heartbeat)}><Beat source={s} now={now} /></td>
      <td className="clip" title={stand(s)}>{stand(s)}</td>
    </tr>
  );
}

/** The heartbeat in a cell: in time with its age, or what is wrong. */
function Beat({ source: { heartbeat: h }, now }: { source: SourceRow; now: number }) {
  if (h === null) return <span className="muted">none</span>;
  const heard = h.lastAt === null ? "never heard" : `${age(now - Date.parse(h.lastAt))} ago`;
  return <><span className={`beat ${h.state}`} aria-hidden="true" />{heartbeatWords[h.state]} <span className="muted">{heard}</span></>;
}

/** Filled: it sends. A triangle: something was refused, or its heartbeat is overdue. A dashed ring: nothing came through this process. */
function Mark({ source }: { source: SourceRow }) {
  const sign = signOf(source);
  return (
    <svg viewBox="0 0 14 14" width="12" height="12" aria-hidden="true">
      {sign === "bad" ? <path className="tri" d="M7 1.3L13.2 12.7H.8z" /> : <circle className={sign} cx="7" cy="7" r="5" />}
    </svg>
  );
}

function SourcePanel({ source: s, beat, onClose }: { source: SourceRow; beat: number; onClose: () => void }) {
  const at = new Date(useNow());
  return (
    <aside className="panel" aria-label={`Source ${s.name}`}>
      <div className="ph">
        <div className="l1"><Mark source={s} /><span className="muted">Source</span><span className="grow" /><button type="button" className="btn quiet icon" aria-label="Close (Esc)" title="Close (Esc)" onClick={onClose}><Icon name="cross" /></button></div>
        <h2>{s.name}</h2>
        <dl className="facts">
          <div><dt>Firing</dt><dd><WayIn to={alertsFrom(s.name, matcher("status", "=", "firing"))}>{figure(s.firing)}</WayIn></dd></div>
          <div><dt>Bound</dt><dd>{figure(s.bound)}</dd></div>
          <div><dt>Unbound</dt><dd><WayIn to={alertsFrom(s.name, matcher("bound", "=", false))}>{figure(s.unbound)}</WayIn></dd></div>
          <div><dt>Suppressed</dt><dd>{figure(s.suppressed)}</dd></div>
          {s.lastAt !== null && <div><dt>Last payload</dt><dd>{moment(s.lastAt, at)}</dd></div>}
        </dl>
      </div>
      <div className="pb source">
        {s.heartbeat !== null && (
          <section>
            <h3>Heartbeat <span className={s.heartbeat.state === "silent" ? "late" : "muted"}>{heartbeatWords[s.heartbeat.state]}</span></h3>
            <p className="ink">{heartbeatSentence(s.heartbeat)}{s.heartbeat.deadline !== null && ` Due ${s.heartbeat.state === "beating" ? "by" : "since"} ${moment(s.heartbeat.deadline, at)}.`}</p>
            {Object.keys(s.heartbeat.labels).length > 0 && <p className="labels">{Object.entries(s.heartbeat.labels).map(([k, v]) => <code key={k}>{k}=&quot;{v}&quot;</code>)}</p>}
            {s.heartbeat.alarm && <p><WayIn to={`/alerts?${new URLSearchParams({ q: `${matcher("alertname", "=", "SourceSilent")} ${matcher("source", "=", "signalbox")}` }).toString()}`}>The alert that it is silent</WayIn></p>}
          </section>
        )}
        {s.upstream !== null && <Reading upstream={s.upstream} />}
        {s.lastRefused !== null && <section><h3>Refused last</h3><p className="ink">{s.lastRefused}</p></section>}
        {s.lastAt === null ? <section><p>Nothing came from it through this process since it began. Another process may have its last payload.</p></section> : <Last name={s.name} beat={beat} />}
      </div>
    </aside>
  );
}

/** How the Alertmanager was found when it was read. */
function Reading({ upstream: u }: { upstream: Upstream }) {
  const at = new Date(useNow());
  return (
    <section>
      <h3>Reading it <span className="muted">{u.lastReadAt === null ? (u.reads ? "not read yet" : "not by this process") : `last at ${moment(u.lastReadAt, at)}`}</span></h3>
      {u.error !== null && <p className="ink">{u.error}</p>}
      {u.lastReadAt !== null && <p>{figure(u.active)} active, {figure(u.silenced)} silenced, {figure(u.inhibited)} inhibited, {figure(u.muted)} muted</p>}
      <ul>{u.members.map((m) => <li key={m.url}><code>{m.url}</code> {m.up ? <span className="muted">answers{m.version !== "" && `, ${m.version}`}</span> : <span className="ink">{m.error ?? "not asked yet"}</span>}</li>)}</ul>
    </section>
  );
}

function Last({ name, beat }: { name: string; beat: number }) {
  const loaded = useLoad(name, String(beat), 0, (signal) => getLastPayload(name, signal));
  const p = loaded.value;
  return (
    <>
      {loaded.error !== null && <p className="oops" role="alert">The last payload could not be read. {sentence(loaded.error)}</p>}
      {p !== null && <><Refused payload={p} /><Accepted payload={p} /><Body payload={p} /></>}
    </>
  );
}

function Refused({ payload: p }: { payload: LastPayload }) {
  if (p.refused === 0) return null;
  return (
    <section>
      <h3>Refused in the last payload <span className="muted">{figure(p.refused)}</span></h3>
      {p.fault !== null && <p className="ink">The whole payload: {p.fault}</p>}
      <ul>{p.refusals.map((r, i) => <li key={i}><span className="muted">Alert {figure(r.index + 1)}</span> <code>{r.field}</code> <span className="ink">{r.reason}</span></li>)}</ul>
      {p.refusals.length > 0 && p.refused > p.refusals.length && <p className="muted">The first {figure(p.refusals.length)} reasons are kept.</p>}
    </section>
  );
}

function Accepted({ payload: p }: { payload: LastPayload }) {
  if (p.accepted === 0) return null;
  return (
    <section>
      <h3>Accepted in the last payload <span className="muted">{figure(p.accepted)}</span></h3>
      <table>
        <thead><tr><th scope="col">Alert</th><th scope="col">Status</th><th scope="col">Item</th><th scope="col">Incident</th></tr></thead>
        <tbody>{p.alerts.map((a) => <AlertLine key={a.fingerprint} alert={a} />)}</tbody>
      </table>
      {p.alerts.length < p.accepted && <p className="muted">{figure(p.alerts.length)} different alerts of {figure(p.accepted)} are shown: changes and repetitions are not, and the first 1,000 are kept.</p>}
    </section>
  );
}

function AlertLine({ alert: a }: { alert: PayloadAlert }) {
  if (a.labels === null) return <tr><td><code>{a.fingerprint}</code></td><td className="muted" colSpan={3}>not on the board: already forgotten, or not there yet</td></tr>;
  const all = Object.entries(a.labels).map(([name, value]) => `${name}="${value}"`).join(" ");
  return (
    <tr>
      <td title={all}><WayIn to={`/alerts?${new URLSearchParams({ q: matcher("fingerprint", "=", a.fingerprint) }).toString()}`}>{a.labels.alertname ?? a.fingerprint}</WayIn></td>
      <td>{a.status}</td>
      <td>{a.item === null ? <span title={a.tried}>unbound{a.tried !== "" && <span className="muted"> {a.tried}</span>}</span> : <WayIn to={itemAddress(a.item)}>{a.item}</WayIn>}</td>
      <td>{a.incidentNumber === null ? <span className="muted">none</span> : <WayIn to={`/incidents/${encodeURIComponent(a.incidentNumber)}`}>{a.incidentNumber}</WayIn>}</td>
    </tr>
  );
}

function Body({ payload: p }: { payload: LastPayload }) {
  return (
    <section>
      <h3>Last payload <span className="muted">{doorPath(p.kind)}, {figure(p.size)} bytes</span></h3>
      {p.body === null ? <p className="muted">The body is not kept any more: many sources have sent much.</p> : <Code file={p.truncated ? "The first 64 KiB" : "Body"} text={p.body} />}
      <p className="muted">Headers are never kept.</p>
    </section>
  );
}
