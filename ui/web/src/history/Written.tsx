// What the page cannot show yet, because it is not written: ClickHouse is away, or catches up.
import { getStatus } from "../api/client";
import type { Status } from "../api/model";
import { useTick } from "../app/tick";
import { Icon } from "../lib/marks";
import { useLoad } from "../lib/load";
import { dataAge } from "../lib/time";
import { figure } from "../lib/words";

const pace = 5_000;
// A write that is tried again for so long (ms) is worth a line, as are so many records that wait.
const patience = 5_000;
const many = 50_000;

/** One line while history lacks what has happened. */
export function Written() {
  const now = useTick();
  const state = useLoad("status", String(Math.floor(now / pace)), pace, getStatus).value?.history ?? null;
  const text = state === null ? null : behind(state, now);
  if (state === null || text === null) return null;
  return <div className="banner" role="status" title={state.failure ?? undefined}><Icon name="clock" /><span>{text}</span></div>;
}

function behind(state: NonNullable<Status["history"]>, now: number): string | null {
  const failing = state.failingSince === null ? 0 : now - Date.parse(state.failingSince);
  if (failing >= patience) return `ClickHouse has taken nothing for ${dataAge(failing)}. What happened since is missing here; nothing is lost, it comes when ClickHouse answers again.`;
  if ((state.behind ?? 0) < many) return null;
  return `History catches up: ${figure(state.behind ?? 0)} records are not written yet, so the latest may be missing here.`;
}
