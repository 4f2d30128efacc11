// One line between query and table when the board is not what it seems: stale, cut off, paused.
import { useBoard, useServices } from "../app/context";
import { useTick } from "../app/tick";
import { liveness } from "../lib/live";
import { Icon } from "../lib/marks";
import { clock, dataAge } from "../lib/time";
import { plural } from "../lib/words";

export function Banner() {
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
  if (state === "reconnecting") {
    const next = connection.tryAt === null ? "Connecting." : `Next try in ${dataAge(connection.tryAt - now)}.`;
    const since = heard === null ? "The server does not answer." : `Cut off. The board shows ${clock(new Date(heard))}; it may be wrong by now.`;
    return (
      <div className="banner" role="alert">
        <Icon name="clock" /><span>{since} {next}</span>
        <button type="button" className="btn sm" onClick={() => reconnect(false)}>Try now</button>
      </div>
    );
  }
  if (paused === null) return null;
  const { waiting } = paused;
  const fresh = waiting.added === 0 ? "" : `, ${waiting.added} of them new, the highest P${waiting.best ?? 5}`;
  return (
    <div className="banner calm" role="status">
      <Icon name="pause" />
      <span><b>Paused at {clock(new Date(paused.since))}.</b> {waiting.changed === 0 ? "Nothing waits." : `${plural(waiting.changed, "incident")} changed${fresh}.`}</span>
      <button type="button" className="btn sm" onClick={() => store.resume()}>Resume <kbd>P</kbd></button>
    </div>
  );
}
