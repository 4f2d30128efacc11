// The sign of a clock: its state by shape and by word, never by hue.
import type { ReactNode } from "react";
import type { Clock } from "../api/model";
import { clockWords } from "./due";

const ring = { fill: "none", stroke: "currentColor", strokeWidth: 1.5 } as const;
const face = <circle cx="7" cy="7" r="5.3" {...ring} />;
const signs: Record<Clock["state"], ReactNode> = {
  running: <>{face}<path d="M7 4v3h2.4" {...ring} /></>,
  warned: <>{face}<path d="M7 7V2.4A4.6 4.6 0 112.4 7z" fill="currentColor" /></>,
  paused: <>{face}<path d="M5.7 5v4M8.3 5v4" {...ring} /></>,
  breached: <><circle cx="7" cy="7" r="6" fill="currentColor" /><path d="M7 3.6v4M7 10v.01" className="knock" /></>,
  met: <>{face}<path d="M4.5 7.2l1.8 1.8 3.3-3.8" {...ring} /></>,
  cancelled: <>{face}<path d="M3.7 10.3l6.6-6.6" {...ring} /></>,
};

export function DueMark({ state }: { state: Clock["state"] }) {
  return (
    <span className={`duemark ${state}`} title={clockWords[state]}>
      <svg viewBox="0 0 14 14" aria-hidden="true">{signs[state]}</svg>
      <span className="sr">{clockWords[state]}</span>
    </span>
  );
}
