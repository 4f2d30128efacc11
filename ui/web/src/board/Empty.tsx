// What stands in the place of the table when there is no row to show.
import { useState } from "react";
import { getStatus } from "../api/client";
import { useBoard, useNow, useServices } from "../app/context";
import { go } from "../app/route";
import { useTick } from "../app/tick";
import { useLoad } from "../lib/load";
import { withoutLast } from "../lib/query";
import { coarse, dataAge } from "../lib/time";
import { figure, plural } from "../lib/words";
import { nextTry } from "./Banner";
import { Head } from "./Grid";
import type { SortKey } from "./select";

// So long nothing is said about a board that does not come.
const patience = 3_000;

/** The table before there is a board: its shape at once, after a while what it waits for, or why it does not come. */
export function NotYet({ sort }: { sort: SortKey }) {
  const { reconnect } = useServices();
  const connection = useBoard((s) => s.connection);
  const now = useTick();
  const [since] = useState(now);
  if (connection.phase === "broken") {
    return (
      <div className="msg" role="alert">
        <h2>The board could not be loaded</h2>
        <p>{connection.reason} {nextTry(connection.tryAt, now)}</p>
        <button type="button" className="btn" onClick={() => reconnect(true)}>Try now</button>
      </div>
    );
  }
  return (
    <div className="grid" aria-busy="true">
      <Head sort={sort} onSort={() => undefined} />
      {now - since >= patience && <p className="waits" role="status">Waiting for the board of {location.host}, for {dataAge(now - since)}.</p>}
      {Array.from({ length: 24 }, (_, i) => <div key={i} className="sk" aria-hidden="true"><i /><i /><i style={{ width: `${26 + (i * 37) % 17}%` }} /><i style={{ width: `${12 + (i * 23) % 9}%` }} /></div>)}
    </div>
  );
}

/** Calm is worth a sentence that says what it rests on. */
function Calm() {
  const now = useNow();
  const status = useLoad("status", String(Math.floor(now / 10_000)), 10_000, getStatus).value;
  const silent = status?.counts.sources.silent ?? [];
  const last = status?.sources.map((s) => s.lastAt ?? "").sort().at(-1) ?? "";
  return (
    <div className="msg">
      <h2>No open incident</h2>
      <p>{last === "" ? "No source has sent anything yet." : `Last payload ${coarse(now - Date.parse(last))} ago. ${figure(status?.counts.sources.heard ?? 0)} of ${plural(status?.counts.sources.known ?? 0, "source")} heard.`}</p>
      {silent.length > 0 && <p className="ink" role="alert">Silent, so calm may not be true: {silent.join(", ")}.</p>}
    </div>
  );
}

export function Nothing({ q, hidden, tab }: { q: string; hidden: number; tab: string }) {
  if (q === "") {
    return tab === "Open" ? <Calm /> : <div className="msg"><h2>No incident here</h2><p>{tab} has no incident at the moment.</p></div>;
  }
  return (
    <div className="msg">
      <h2>No incident matches</h2>
      <p>{hidden > 0 ? `${plural(hidden, "incident")} ${hidden === 1 ? "is" : "are"} hidden by the filter.` : `${tab} has no incident at the moment.`}</p>
      <button type="button" className="btn" onClick={() => go({ q: withoutLast(q) })}>Remove last matcher</button>
    </div>
  );
}
