// All silences: which alerts, who, why, until when, how many alerts each holds now.
import { useState } from "react";
import { expireSilence, getSilences, sentence } from "../api/client";
import type { Silence } from "../api/model";
import { useBoard, useDead, useNow, useServices } from "../app/context";
import { go, type Route } from "../app/route";
import { Banner } from "../board/Banner";
import { WayIn } from "../history/place";
import { useLoad } from "../lib/load";
import { matcher } from "../lib/query";
import { age, fieldTime, moment, until } from "../lib/time";
import { figure, plural } from "../lib/words";
import { cutOff } from "../panel/CommandBar";
import { written } from "./matchers";
import { newSilence, SilenceDialog, type SilenceDraft } from "./SilenceDialog";

const refreshEvery = 5_000;

type State = Silence["state"];

const words: Record<State, string> = { active: "Active", pending: "Pending", expired: "Expired" };
const states: readonly State[] = ["active", "pending", "expired"];

export function SilencesPage({ route }: { route: Route }) {
  const dead = useDead();
  const paused = useBoard((s) => s.paused);
  const now = useNow();
  const beat = Math.floor((paused === null ? now : paused.since) / refreshEvery);
  const [changed, setChanged] = useState(0);
  const [draft, setDraft] = useState<SilenceDraft | null>(null);
  const loaded = useLoad("silences", `${beat}/${changed}`, 0, getSilences);
  const all = loaded.value?.silences ?? null;
  const state = states.find((s) => s === route.tab) ?? null;
  const shown = all?.filter((s) => (state === null ? s.state !== "expired" : s.state === state)) ?? [];
  const reload = () => setChanged((n) => n + 1);
  return (
    <main className="work">
      <section className="list" aria-label="Silences">
        <div className="tabs">
          <Filters all={all} state={state} />
          <span className="grow" />
          <button type="button" className="btn sm primary" disabled={dead} title={dead ? cutOff : undefined} onClick={() => setDraft(newSilence)}>New silence …</button>
        </div>
        <Banner />
        {loaded.error !== null && <p className="oops" role="alert">The silences could not be read. {sentence(loaded.error)}</p>}
        {all !== null && (shown.length === 0 ? <None state={state} /> : <Table silences={shown} dead={dead} onChange={setDraft} onExpired={reload} />)}
        <p className="under" role="status">{all !== null && `${plural(shown.length, "silence")}. A silence marks alerts as suppressed; they stay in their incidents and are counted.`}</p>
      </section>
      {draft !== null && <SilenceDialog draft={draft} onClose={() => setDraft(null)} onDone={reload} />}
    </main>
  );
}

/** Active and pending ones together are what there is; expired ones are looked up. */
function Filters({ all, state }: { all: readonly Silence[] | null; state: State | null }) {
  const count = (of: (s: Silence) => boolean) => all?.filter(of).length ?? null;
  const entries: [string, string, number | null][] = [
    ["", "In force or to come", count((s) => s.state !== "expired")], ...states.map((s): [string, string, number | null] => [s, words[s], count((x) => x.state === s)]),
  ];
  return (
    <div role="group" aria-label="States" className="tabset">
      {entries.map(([tab, name, n]) => (
        <button key={tab} type="button" className="tab" aria-pressed={tab === (state ?? "")} onClick={() => go({ tab })}>
          {name} {n !== null && <span className={n === 0 ? "n zero" : "n"}>{figure(n)}</span>}
        </button>
      ))}
    </div>
  );
}

function None({ state }: { state: State | null }) {
  return (
    <div className="msg">
      <h2>{state === null ? "No silence" : `No ${state} silence`}</h2>
      <p>{state === "expired" ? "An expired silence is listed for five days." : "amtool, karma and Grafana can make silences here, too."}</p>
    </div>
  );
}

interface TableProps {
  silences: readonly Silence[];
  dead: boolean;
  onChange: (draft: SilenceDraft) => void;
  onExpired: () => void;
}

function Table(p: TableProps) {
  return (
    <div className="fill scroll">
      <table className="silences">
        <thead><tr><th scope="col">State</th><th scope="col">Matchers</th><th scope="col">Why</th><th scope="col">By</th><th scope="col">Until</th><th scope="col" className="num">Alerts</th><th scope="col"><span className="sr">Commands</span></th></tr></thead>
        <tbody>{p.silences.map((s) => <Line key={s.id} silence={s} {...p} />)}</tbody>
      </table>
    </div>
  );
}

function Line({ silence: s, dead, onChange, onExpired }: TableProps & { silence: Silence }) {
  const { commands } = useServices();
  const now = useNow();
  const [busy, setBusy] = useState(false);
  const names = s.matchers.map(written).join(" ");
  const over = s.state === "expired";
  const expire = () => {
    setBusy(true);
    expireSilence(s.id)
      .then(() => commands.note(`The silence of ${names} has expired`), (e: unknown) => commands.refuse(`The silence of ${names} was not expired. ${sentence(e)}`))
      .finally(() => {
        setBusy(false);
        onExpired();
      });
  };
  const change = () => onChange({
    id: s.id, startsAt: s.startsAt, matchers: s.matchers, until: over ? "" : fieldTime(new Date(s.endsAt)), comment: s.comment,
  });
  return (
    <tr className={over ? "over" : ""}>
      <td><span className={s.state === "active" ? "chip hatch" : "chip line"}>{words[s.state]}</span></td>
      <td className="mono">{s.matchers.map((m) => <code key={written(m)}>{written(m)}</code>)}</td>
      <td className="ink">{s.comment}</td>
      <td>{s.createdBy}</td>
      <td title={`${s.startsAt} to ${s.endsAt}`}><When silence={s} now={now} /></td>
      <td className="num">{s.alerts === 0 ? <span className="muted">0</span> : <WayIn to={`/alerts?q=${encodeURIComponent(matcher("silencedBy", "=", s.id))}`} title="Show them">{figure(s.alerts)}</WayIn>}</td>
      <td className="does">
        <button type="button" className="btn sm" disabled={dead} title={dead ? cutOff : undefined} onClick={over ? () => onChange({ ...newSilence, matchers: s.matchers, comment: s.comment }) : change}>
          {over ? "Again …" : "Change …"}
        </button>
        {!over && <button type="button" className="btn sm" disabled={dead || busy} title={dead ? cutOff : undefined} onClick={expire}>Expire</button>}
      </td>
    </tr>
  );
}

function When({ silence: s, now }: { silence: Silence; now: number }) {
  const at = new Date(now);
  switch (s.state) {
    case "active": return <>{until(s.endsAt, at)} <span className="muted">{age(Date.parse(s.endsAt) - now)} left</span></>;
    case "pending": return <>{until(s.endsAt, at)} <span className="muted">from {until(s.startsAt, at)}</span></>;
    case "expired": return <span className="muted">ended {moment(s.endsAt, at)}</span>;
  }
}
