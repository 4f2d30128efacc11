// The board while it has no incident: how alerts come in, and what has come already.
import { useState } from "react";
import { getStatus, sendTestAlert, sentence } from "../api/client";
import type { Source, Status } from "../api/model";
import { useBoard, useNow } from "../app/context";
import { go } from "../app/route";
import { useTick } from "../app/tick";
import { Banner } from "../board/Banner";
import { WayIn } from "../history/place";
import { useLoad } from "../lib/load";
import { Icon } from "../lib/marks";
import { age } from "../lib/time";
import { figure, plural } from "../lib/words";
import { sourceAddress } from "../sources/SourcesPage";
import { doorPath, signOf } from "../sources/words";
import { Code } from "./Code";
import { alertmanagerLines, ownURL, prometheusLines, shellLines } from "./setup";

const pollEvery = 2_000;

/** `waiting`: the board has no incident. */
export function ConnectPage({ waiting }: { waiting: boolean }) {
  const tick = useTick();
  const status = useLoad("status", String(Math.floor(tick / pollEvery)), pollEvery, getStatus);
  const s = status.value;
  const url = ownURL(s?.listen, location.origin);
  const heard = s?.sources.some((x) => x.accepted > 0) ?? false;
  const title = !waiting ? "Connect" : heard ? "No open incident" : "Waiting for the first incident";
  return (
    <main className="cm">
      <Banner />
      <div className="cw">
        <div className="hero">
          <div>
            <h1>{title}</h1>
            <p>The board fills by itself when alerts arrive. Point your Alertmanager or Prometheus at <b className="mono">{url}</b></p>
          </div>
          <Way status={s} waiting={waiting} url={url} />
        </div>
        {status.error !== null && <p className="oops" role="alert">The status could not be read. {sentence(status.error)}</p>}
        <div className="cg">
          <section>
            <h2><span className="no">1</span>From Alertmanager <span className="muted">keeps your receivers</span></h2>
            <Code file="alertmanager.yml" text={alertmanagerLines(url)} />
          </section>
          <section>
            <h2><span className="no">2</span>Or from Prometheus <span className="muted">beside your Alertmanager</span></h2>
            <Code file="prometheus.yml" text={prometheusLines(url)} />
            {/^https?:\/\/(127\.|localhost|\[::1\])/.test(url) && (
              <p className="hint">This address works on this machine only. To be reached from another one, put Signalbox behind a proxy that asks for a login, or let everybody in: <code>--listen 0.0.0.0:{new URL(url).port || "7420"} --insecure</code>.</p>
            )}
          </section>
          <section>
            <h2><span className="no">3</span>Or send a test alert</h2>
            <TestAlert />
            <Code file="shell" text={shellLines(url)} />
          </section>
        </div>
        {s !== null && <Sources sources={s.sources} />}
      </div>
    </main>
  );
}

function TestAlert() {
  const [said, say] = useState<string>("Not sent yet");
  const [busy, setBusy] = useState(false);
  const board = useBoard((s) => s.view.order.length > 0);
  const send = () => {
    setBusy(true);
    sendTestAlert()
      .then((a) => say(`Sent. It expires at ${new Date(a.expiresAt).toLocaleTimeString("en-GB")}.`), (e: unknown) => say(`Not sent. ${sentence(e)}`))
      .finally(() => setBusy(false));
  };
  return (
    <div className="test">
      <p>Sends one alert named <code>SignalboxTest</code> through the same door. It expires by itself after two minutes.</p>
      <div className="tb">
        <button type="button" className="btn primary" disabled={busy} onClick={send}>Send a test alert</button>
        <span className="muted" role="status">{said}</span>
        {board && <button type="button" className="a" onClick={() => go({ page: "incidents" })}>Open the board</button>}
      </div>
    </div>
  );
}

/** The way in as a line with four stations. */
function Way({ status, waiting, url }: { status: Status | null; waiting: boolean; url: string }) {
  const now = useNow();
  const last = status?.sources.filter((x) => x.lastAt !== null).sort((a, b) => ((a.lastAt ?? "") < (b.lastAt ?? "") ? 1 : -1))[0];
  const estate = status?.estate;
  const loaded = estate !== undefined && estate.items > 0;
  const steps: [string, string, boolean][] = [
    ["Listening", new URL(url).host, status !== null],
    ["Estate loaded", loaded ? `${plural(estate.items, "item")}, ${plural(estate.relations, "relation")}` : "none: items come from labels", loaded],
    ["First payload", last?.lastAt ? `${last.name}, ${age(now - Date.parse(last.lastAt))} ago` : "waiting", last !== undefined],
    ["First incident", waiting ? "waiting" : "on the board", !waiting],
  ];
  return (
    <ol className="track">
      {steps.map(([name, what, done]) => (
        <li key={name} className={done ? "done" : "wait"}>
          <span className="stn">{done && <Icon name="tick" />}</span><b>{name}</b><span title={what}>{what}<span className="sr">{done ? ", done" : ", not yet"}</span></span>
        </li>
      ))}
    </ol>
  );
}

function Sources({ sources }: { sources: readonly Source[] }) {
  return (
    <section className="src">
      <h2>What has arrived <span className="muted">per source</span></h2>
      {sources.length === 0 ? <p className="muted">No source has sent anything yet.</p> : (
        <table>
          <thead>
            <tr><th>Source</th><th>Door</th><th className="num">Last payload</th><th className="num">Accepted</th><th className="num">Refused</th><th>What happened</th></tr>
          </thead>
          <tbody>{sources.map((s) => <SourceLine key={s.name} source={s} />)}</tbody>
        </table>
      )}
    </section>
  );
}

function SourceLine({ source: s }: { source: Source }) {
  const now = useNow();
  const sign = signOf(s);
  const what = s.lastRefused ?? (sign === "ok" ? `${figure(s.accepted)} accepted: the way works.` : "Nothing received yet.");
  return (
    <tr className={sign}>
      <td>
        <svg viewBox="0 0 14 14" width="12" height="12" aria-hidden="true">
          {sign === "bad" ? <path className="tri" d="M7 1.3L13.2 12.7H.8z" /> : <circle className={sign} cx="7" cy="7" r="5" />}
        </svg>
        <b><WayIn to={sourceAddress(s.name)}>{s.name}</WayIn></b>
      </td>
      <td className="mono">{s.doors.map((d) => <div key={d}>{doorPath(d)}</div>)}</td>
      <td className="num ink">{s.lastAt === null ? "never" : `${age(now - Date.parse(s.lastAt))} ago`}</td>
      <td className="num">{figure(s.accepted)}</td>
      <td className="num warn">{figure(s.refused)}</td>
      <td>{what}</td>
    </tr>
  );
}
