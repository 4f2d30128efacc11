// The small signs of the board: severity, priority, state, class. Each says its fact by shape and by word.
import type { ReactNode } from "react";
import type { Severity, State } from "../api/model";
import { stateWords } from "./words";

const icons = {
  switch: <><rect x="1.5" y="4.5" width="11" height="5" rx="1" /><path d="M4 7h.01M6.3 7h.01M9 7h1.5" /></>,
  router: <><circle cx="7" cy="7" r="5.3" /><path d="M4.2 7h5.6M7 4.2v5.6" /></>,
  host: <><rect x="3" y="1.5" width="8" height="11" rx="1" /><path d="M5.3 4.2h3.4M5.3 6.4h3.4M7 10h.01" /></>,
  database: <><ellipse cx="7" cy="3.5" rx="4.5" ry="1.9" /><path d="M2.5 3.5v7c0 1 2 1.9 4.5 1.9s4.5-.9 4.5-1.9v-7" /></>,
  app: <><rect x="2" y="2" width="10" height="10" rx="2" /><path d="M2 5.2h10" /></>,
  pod: <><path d="M7 1.5l4.8 2.7v5.6L7 12.5 2.2 9.8V4.2z" /><path d="M2.2 4.2L7 7l4.8-2.8M7 7v5.5" /></>,
  plc: <><rect x="2" y="2.5" width="10" height="9" rx="1" /><path d="M4.7 2.5v9M7 5.5h2.8M7 8.5h2.8" /></>,
  machine: <><circle cx="7" cy="7" r="2" /><path d="M7 1.5v2M7 10.5v2M1.5 7h2M10.5 7h2M3.1 3.1l1.4 1.4M9.5 9.5l1.4 1.4M3.1 10.9l1.4-1.4M9.5 4.5l1.4-1.4" /></>,
  change: <path d="M2 4.5h8M8 2.2l2.4 2.3L8 6.8M12 9.5H4M6 7.2L3.6 9.5 6 11.8" />,
  storage: <><rect x="1.8" y="2.2" width="10.4" height="4" rx="1" /><rect x="1.8" y="7.8" width="10.4" height="4" rx="1" /><path d="M9.8 4.2h.01M9.8 9.8h.01" /></>,
  disk: <><circle cx="7" cy="7" r="5.3" /><circle cx="7" cy="7" r="1.3" /></>,
  link: <path d="M5.8 8.2a2.5 2.5 0 003.6 0l1.9-1.9a2.5 2.5 0 00-3.6-3.6L7 3.4M8.2 5.8a2.5 2.5 0 00-3.6 0L2.7 7.7a2.5 2.5 0 003.6 3.6l.7-.7" />,
  cert: <><rect x="3" y="6" width="8" height="6" rx="1" /><path d="M4.8 6V4.2a2.2 2.2 0 014.4 0V6" /></>,
  sensor: <path d="M7 9.2V2.7M4.3 11a3.6 3.6 0 015.4 0M2.4 8.6a6.2 6.2 0 019.2 0" />,
  service: <path d="M2 7h2.4l1.6-4 2.2 8 1.5-4H12" />,
  tick: <path d="M2.5 7.5l3 3 6-6.5" />,
  cross: <path d="M3.5 3.5l7 7M10.5 3.5l-7 7" />,
  pause: <path d="M5 3v8M9 3v8" />,
  play: <path d="M4.5 3l6 4-6 4z" />,
  theme: <><circle cx="7" cy="7" r="5" /><path d="M7 2a5 5 0 010 10z" fill="currentColor" /></>,
  search: <><circle cx="6" cy="6" r="3.8" /><path d="M9 9l3 3" /></>,
  flap: <path d="M1.5 9.5h2.3v-5h2.6v5H9v-5h3.5" />,
  copy: <><rect x="4.5" y="4.5" width="7.5" height="7.5" rx="1" /><path d="M9.5 2H3a1 1 0 00-1 1v6.5" /></>,
  clock: <><circle cx="7" cy="7" r="5.3" /><path d="M7 3.8V7l2.2 1.3" /></>,
  me: <><circle cx="7" cy="4.4" r="2.6" /><path d="M2 12.5c.4-2.8 2.4-4.3 5-4.3s4.6 1.5 5 4.3" /></>,
  down: <path d="M3.5 5.5L7 9l3.5-3.5" />,
  right: <path d="M5.5 3.5L9 7l-3.5 3.5" />,
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof icons;

export function Icon({ name, className = "" }: { name: IconName; className?: string }) {
  return <svg className={`i ${className}`} viewBox="0 0 14 14" aria-hidden="true">{icons[name]}</svg>;
}

// What an estate calls its classes, and the sign nearest to it.
const classIcons: [RegExp, IconName][] = [
  [/switch/, "switch"], [/router|firewall|gateway|balancer/, "router"], [/plc|controller|io_/, "plc"],
  [/host|server|node|hypervisor|vm|machine_virtual/, "host"], [/database|db|queue|broker|topic/, "database"],
  [/pod|container|deployment|workload|replica/, "pod"], [/storage|array|volume/, "storage"], [/disk|drive/, "disk"],
  [/link|line|cable|wan|power|pdu|ups|circuit/, "link"], [/cert/, "cert"], [/sensor|camera|probe|vantage|monitor/, "sensor"],
  [/service|business/, "service"], [/machine|pump|motor|cool|conveyor|robot|equipment|hvac|filler|compressor/, "machine"],
];

export function ClassIcon({ kind, change, silent }: { kind: string; change: boolean; silent: boolean }) {
  const name = change ? "change" : (classIcons.find(([pattern]) => pattern.test(kind.toLowerCase()))?.[1] ?? "app");
  return <Icon name={name} className={silent ? "silent" : ""} />;
}

const glyphs: Record<Severity, ReactNode> = {
  critical: <><rect className="g" x="1" y="1" width="12" height="12" rx="2" /><path className="g-on" d="M7 3.7v3.8M7 10.3v.01" /></>,
  major: <path className="g" d="M7 1.3L13.2 12.7H.8z" />,
  minor: <path className="g" d="M7 .9L13.1 7 7 13.1.9 7z" />,
  warning: <circle className="g" cx="7" cy="7" r="4.4" />,
  info: <circle className="g" cx="7" cy="7" r="4.2" />,
  none: <path className="g" d="M3 7h8" />,
};

export function SeverityMark({ severity, wordless = false }: { severity: Severity; wordless?: boolean }) {
  return (
    <span className={`sev ${severity}`} title={wordless ? severity : undefined}>
      <svg viewBox="0 0 14 14" aria-hidden="true">{glyphs[severity]}</svg>
      <span className={wordless ? "sr" : "w"}>{severity}</span>
    </span>
  );
}

export function PriorityMark({ priority, override }: { priority: number; override: number | null }) {
  const title = override === null ? undefined : "Set by a person";
  return <span className={`p p${priority}${override === null ? "" : " set"}`} title={title}>P{priority}</span>;
}

const ring = { fill: "none", stroke: "currentColor", strokeWidth: 1.5 } as const;
const stateSigns: Record<State, ReactNode> = {
  new: <circle cx="7" cy="7" r="5" {...ring} strokeDasharray="2.2 1.7" />,
  in_progress: <><circle cx="7" cy="7" r="5" {...ring} /><path d="M7 4.2a2.8 2.8 0 010 5.6z" fill="currentColor" /></>,
  on_hold: <><circle cx="7" cy="7" r="5" {...ring} /><path d="M5.7 5v4M8.3 5v4" {...ring} /></>,
  resolved: <><circle cx="7" cy="7" r="5.7" fill="currentColor" /><path d="M4.5 7.2l1.8 1.8 3.3-3.8" className="knock" /></>,
  closed: <><circle cx="7" cy="7" r="5.7" className="faint" /><path d="M4.5 7.2l1.8 1.8 3.3-3.8" className="knock" /></>,
  cancelled: <><circle cx="7" cy="7" r="5" {...ring} /><path d="M3.7 10.3l6.6-6.6" {...ring} /></>,
};

/** The state; `narrow` lets the list hide the word from the eye where it has no room for it. */
export function StateMark({ state, narrow = false }: { state: State; narrow?: boolean }) {
  return (
    <span className={`state ${state}`} title={stateWords[state]}>
      <svg viewBox="0 0 14 14" aria-hidden="true">{stateSigns[state]}</svg>
      <span className={narrow ? "narrow" : ""}>{stateWords[state]}</span>
    </span>
  );
}

export function Logo() {
  return (
    <svg viewBox="0 0 22 22" width="22" height="22" aria-hidden="true" className="logo">
      <rect x="1" y="1" width="20" height="20" rx="4.5" />
      <path d="M4 15h4.2l4.6-7H18" className="main" />
      <path d="M12 15h6" className="side" />
      <circle cx="18" cy="8" r="2.2" />
    </svg>
  );
}
