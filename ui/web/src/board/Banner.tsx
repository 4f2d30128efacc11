// One line between query and table when the board is not what it seems: stale, cut off, paused; or when incidents are chosen.
import type { ReactNode } from "react";
import { useBoard, useServices } from "../app/context";
import { useTick } from "../app/tick";
import { liveness } from "../lib/live";
import { Icon } from "../lib/marks";
import { clock, dataAge } from "../lib/time";
import { plural } from "../lib/words";

/** One banner at a time; `otherwise` stands there when the board is as it seems. */
export function Banner({ otherwise = null }: { otherwise?: ReactNode }) {
  const { store, reconnect } = useServices();
  const connection = useBoard((s) => s.connection);
  const paused = useBoard((s) => s.paused);
  const now = useTick();
  const state = liveness(connection, paused !== null, now);
  const heard = connection.heardAt;
  if (state === "stale" && heard !== null) {
    return (
      <div className="banner" role="alert">
        <Icon name="clock" />
        <span>Nothing heard for <b>{dataAge(now - heard)}</b>. The board shows {clock(new Date(heard))}; it may be wrong by now.</span>
        <button type="button" className="btn sm" onClick={() => reconnect(true)}>Load again</button>
      </div>
    );
  }
  if (state === "disconnected") {
    const since = heard === null ? <b>Not connected yet.</b> : <><b>Disconnected for {dataAge(now - heard)}.</b> The board shows {clock(new Date(heard))}.</>;
    return (
      <div className="banner" role="alert" title={connection.reason ?? undefined}>
        <Icon name="clock" /><span>{since} {nextTry(connection.tryAt, now)}</span>
        <button type="button" className="btn sm" onClick={() => reconnect(false)}>Try now</button>
      </div>
    );
  }
  if (paused === null) return otherwise;
  const { waiting } = paused;
  const fresh = waiting.added === 0 ? "" : `, ${plural(waiting.added, "new incident")}, the highest P${waiting.best ?? 5}`;
  return (
    <div className="banner calm" role="status">
      <Icon name="pause" />
      <span><b>Paused at {clock(new Date(paused.since))}.</b> {waiting.changed === 0 ? "Nothing waits." : `${plural(waiting.changed, "change")} waiting${fresh}.`}</span>
      <button type="button" className="btn sm" onClick={() => store.resume()}>Resume <kbd>P</kbd></button>
    </div>
  );
}

/** When the next attempt begins, in words. */
export const nextTry = (tryAt: number | null, now: number): string => (tryAt === null || tryAt <= now ? "Trying again." : `Trying again in ${dataAge(tryAt - now)}.`);
