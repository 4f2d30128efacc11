// Which types of alerts follow which: what is proposed, what explains alerts, and what is switched off.
import { useState } from "react";
import { adoptPatterns, getPatterns, sentence, switchPattern } from "../api/client";
import type { Pattern } from "../api/model";
import { useDead, useNow, useServices } from "../app/context";
import { Banner } from "../board/Banner";
import { useLoad } from "../lib/load";
import { figure, plural } from "../lib/words";
import { cutOff } from "../panel/CommandBar";

const refreshEvery = 30_000;

const seconds = (s: number) => (s < 60 ? `${Math.round(s)} s` : `${Math.round(s / 6) / 10} min`);

const over = (relation: string) => (relation === "self" ? "the same item" : relation === "" ? "no relation" : relation.replaceAll("_", " "));

export function PatternsPage() {
  const dead = useDead();
  const now = useNow();
  const { commands } = useServices();
  const [changed, setChanged] = useState(0);
  const [busy, setBusy] = useState(false);
  const loaded = useLoad("patterns", `${Math.floor(now / refreshEvery)}/${changed}`, 0, getPatterns);
  const list = loaded.value?.patterns ?? null;
  const proposed = list?.filter((p) => p.state === "proposed").length ?? 0;
  const give = async (what: string, ask: () => Promise<unknown>) => {
    setBusy(true);
    try {
      await ask();
      commands.note(what);
    } catch (e) {
      commands.refuse(`Not done. ${sentence(e)}`);
    }
    setBusy(false);
    setChanged((n) => n + 1);
  };
  const why = dead ? cutOff : undefined;
  return (
    <main className="work">
      <section className="list" aria-label="Patterns">
        <div className="tabs">
          <span className="grow" />
          {proposed > 0 && (
            <span className="verbs">
              <button type="button" className="btn sm primary" disabled={dead || busy} title={why} onClick={() => void give(`Adopted ${plural(proposed, "pattern")}`, adoptPatterns)}>
                Adopt {plural(proposed, "proposed pattern")}
              </button>
            </span>
          )}
        </div>
        <Banner />
        {loaded.error !== null && <p className="oops" role="alert">The patterns could not be read. {sentence(loaded.error)}</p>}
        {list !== null && (list.length === 0 ? <None /> : (
          <div className="fill scroll">
            <table className="problems">
              <thead><tr>
                <th scope="col">Alerts of</th><th scope="col">are followed by</th><th scope="col" className="num">Share</th><th scope="col" className="num">Support</th>
                <th scope="col">After (half, 90 %)</th><th scope="col">Over</th><th scope="col">State</th><th scope="col"><span className="sr">Switch</span></th>
              </tr></thead>
              <tbody>
                {list.map((p) => (
                  <tr key={`${p.cause} ${p.effect}`}>
                    <td className="ink">{p.cause}</td><td className="ink">{p.effect}</td>
                    <td className="num">{Math.round(100 * p.score)} %</td><td className="num">{figure(p.support)}</td>
                    <td>{seconds(p.lag_seconds.p50)}, {seconds(p.lag_seconds.p90)}</td><td>{over(p.relation)}</td>
                    <td><span className="chip line">{p.state}</span></td>
                    <td>{p.state !== "proposed" && <Switch pattern={p} off={dead || busy} why={why} onGive={give} />}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        ))}
        <p className="under" role="status">{list !== null && `${plural(list.length, "pattern")}. What is adopted joins alerts where the estate has no relation; what is proposed explains nothing yet.`}</p>
      </section>
    </main>
  );
}

interface SwitchProps {
  pattern: Pattern;
  off: boolean;
  why: string | undefined;
  onGive: (what: string, ask: () => Promise<unknown>) => Promise<void>;
}

function Switch({ pattern, off, why, onGive }: SwitchProps) {
  const on = pattern.state === "off";
  const name = `${pattern.cause} → ${pattern.effect}`;
  return (
    <button type="button" className="btn sm" disabled={off} title={why} aria-label={`Switch ${on ? "on" : "off"} ${name}`}
      onClick={() => void onGive(`Switched ${on ? "on" : "off"} ${name}`, () => switchPattern(pattern.cause, pattern.effect, on))}>
      {on ? "Switch on" : "Switch off"}
    </button>
  );
}

function None() {
  return (
    <div className="msg">
      <h2>No pattern</h2>
      <p>Once an hour patterns are learned from the alerts of the last seven days. A file that signalbox learn wrote is taken at PUT /api/v1/patterns.</p>
    </div>
  );
}
