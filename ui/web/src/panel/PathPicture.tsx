// How the failure travels, as a small track diagram, and the same as a list.
import { useMemo } from "react";
import { sentence } from "../api/client";
import type { Path, PathNode } from "../api/model";
import { useNow } from "../app/context";
import { moment } from "../lib/time";
import { plural } from "../lib/words";
import { type Branch, layOut, type Station, trackPath } from "./layout";

export function PathPicture({ path, error }: { path: Path | null; error: unknown }) {
  const now = useNow();
  const picture = useMemo(() => (path === null ? null : layOut(path)), [path]);
  if (path === null && error === null) return null;
  return (
    <section className="sec">
      <h3>Path {path !== null && <span className="muted">as of {moment(path.at, new Date(now))}</span>}</h3>
      {path === null && <p className="muted">{sentence(error)}</p>}
      {path !== null && picture === null && <p className="muted">{path.sentence}</p>}
      {path !== null && picture !== null && (
        <>
          <svg className="topo" viewBox={`0 0 ${picture.width} ${picture.height}`} role="img" aria-label={path.sentence}>
            {picture.tracks.map((t, i) => <path key={i} d={trackPath(t)} className={!t.lost ? "ok" : t.inferred ? "guess" : "bad"} />)}
            {picture.branches.map((b, i) => <BranchLine key={b.node?.id ?? i} branch={b} />)}
            {picture.stations.map((s) => <StationMark key={s.node.id} station={s} />)}
          </svg>
          <p className="caption">{path.sentence}</p>
          <PathList path={path} />
        </>
      )}
    </section>
  );
}

const clip = (s: string, n: number): string => (s.length <= n ? s : `${s.slice(0, n - 1)}…`);

function StationMark({ station: { node, x, y, label } }: { station: Station }) {
  if (node.role === "cause") {
    const silent = node.state === "silent";
    return (
      <g>
        <title>{node.name}</title>
        <rect className={silent ? "halo" : "halo solid"} x={x - 16} y={y - 16} width="32" height="32" rx="5" />
        <text className="q" x={x} y={y + 5} textAnchor="middle">{silent ? "?" : "!"}</text>
        <text className="h" x={x} y={y + 31} textAnchor="middle">{clip(node.name, 22)}</text>
        <text className="s" x={x} y={y + 43} textAnchor="middle">{silent ? "not itself reporting" : "reports it itself"}</text>
      </g>
    );
  }
  const sign = node.role === "vantage" ? <><circle className="st" cx={x} cy={y} r="8" /><circle className="eye" cx={x} cy={y} r="3" /></> : <circle className="st" cx={x} cy={y} r="5.5" />;
  const beside = label === "beside";
  const [dx, dy] = beside ? [12, 3.5] : [0, label === "above" ? -13 : 20];
  return (
    <g>
      <title>{node.name}</title>
      {sign}
      <text className={beside ? "s" : ""} x={Math.max(2, x + dx)} y={y + dy} textAnchor={beside || x < 40 ? "start" : "middle"} dx={!beside && x < 40 ? -10 : 0}>
        {clip(node.name, beside ? 34 : 13)}{beside && " reachable"}
      </text>
    </g>
  );
}

function BranchLine({ branch: b }: { branch: Branch }) {
  const firing = b.node === null || b.node.state === "firing" || b.node.state === "reporting";
  return (
    <g>
      <rect className={firing ? "sb" : "sq"} x={b.x - 5} y={b.y - 5} width="10" height="10" rx="1.5" />
      <text x={b.x + 10} y={b.y + 3.5}><title>{b.name}</title>{clip(b.name, b.squares.length === 0 ? 30 : 17)}</text>
      {b.squares.map((s) => (
        <rect key={s.node.id} className={s.node.state === "firing" || s.node.state === "reporting" ? "sb" : "sq"} x={s.x} y={s.y} width="6" height="6" rx="1">
          <title>{s.node.name}</title>
        </rect>
      ))}
      <text className="s" x="476" y={b.y + 3.5} textAnchor="end">{b.firing} of {b.total}</text>
    </g>
  );
}

const roles: Record<PathNode["role"], string> = {
  vantage: "monitoring looks from here", way: "on the way", cause: "probable cause", affected: "affected", sibling: "for comparison",
};
const states: Record<PathNode["state"], string> = { reporting: "reports itself", firing: "an alert fires", silent: "silent", reachable: "reachable" };

function PathList({ path }: { path: Path }) {
  return (
    <details className="aslist">
      <summary>As a list{path.affectedTotal > 40 && `, ${plural(path.affectedTotal, "affected item")} in all`}</summary>
      <ul>{path.nodes.map((n) => <li key={n.id}><b>{n.name}</b> {n.class}, {roles[n.role]}, {states[n.state]}</li>)}</ul>
    </details>
  );
}
