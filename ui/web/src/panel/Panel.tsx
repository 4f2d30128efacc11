// The incident that is open: why it is one, how it travels, its alerts, its history, and what can be done.
import { type ReactNode, useState } from "react";
import { getIncident, getPath, Problem, sentence } from "../api/client";
import type { Action, Incident, Row } from "../api/model";
import { useCommandState, useBoardNow } from "../app/context";
import { incidentAddress } from "../history/address";
import { WayIn } from "../history/place";
import { copyLink } from "../lib/copy";
import { useLoad } from "../lib/load";
import { Icon, PriorityMark, SeverityMark, StateMark } from "../lib/marks";
import { age, moment } from "../lib/time";
import { owner, spoken, windowTitle } from "../lib/words";
import { newSilence, SilenceDialog } from "../silences/SilenceDialog";
import { commonLabels } from "../silences/matchers";
import { asRow } from "../store/commands";
import { Alerts } from "./Alerts";
import { Causes } from "./Causes";
import { Clocks } from "./Clocks";
import type { Asked } from "./CommandDialog";
import { CommandBar } from "./CommandBar";
import { PathPicture } from "./PathPicture";
import { Priority } from "./Priority";
import { Timeline } from "./Timeline";
import { Why } from "./Why";

export interface PanelProps {
  /** The id or the number. */
  reference: string;
  /** The row on the board; undefined for one that has left it long ago. */
  row: Row | undefined;
  /** The server does not answer. */
  dead: boolean;
  onClose: () => void;
  onAsk: (asked: Asked) => void;
  onGive: (action: Action, rows: readonly Row[]) => void;
  onToMe: (rows: readonly Row[]) => void;
  /** The comment field wants the focus; onCommenting says that it has it. */
  commenting: boolean;
  onCommenting: () => void;
}

// A storm changes an incident many times a second; its details are read once in this time.
const detailPace = 1_000;
const pathPace = 3_000;

export function Panel({ reference, row: onBoard, dead, onClose, onAsk, onGive, onToMe, commenting, onCommenting }: PanelProps) {
  const { answered } = useCommandState();
  const count = answered.get(onBoard?.id ?? "") ?? 0;
  const version = `${onBoard?.revision ?? 0}/${count}`;
  const detail = useLoad(reference, version, detailPace, (signal) => getIncident(reference, signal));
  const path = useLoad(reference, version, pathPace, (signal) => getPath(reference, signal));
  const incident = detail.value;
  const [silencing, setSilencing] = useState(false);
  const row = newest(onBoard, incident);
  if (row === undefined) return <Lost reference={reference} error={detail.error} onClose={onClose} />;
  return (
    <aside className={dead ? "panel dead" : "panel"} aria-label={`Incident ${row.number}`}>
      <PanelHead row={row} onClose={onClose} />
      <CommandBar row={row} dead={dead} onGive={onGive} onToMe={onToMe} onSilence={() => setSilencing(true)} />
      <div className="pb">
        {detail.error !== null && <p className="oops" role="alert">The details could not be read. {sentence(detail.error)}</p>}
        <Why row={row} incident={incident} />
        <PathPicture path={path.value} error={path.error} />
        <Causes row={row} incident={incident} dead={dead} />
        <Priority row={row} version={version} />
        <Clocks row={row} version={version} />
        {incident !== null && <Alerts incident={incident} row={row} dead={dead} onAsk={onAsk} />}
        <Timeline row={row} version={version} dead={dead} commenting={commenting} onCommenting={onCommenting} />
      </div>
      {silencing && <SilenceOf row={row} incident={incident} onClose={() => setSilencing(false)} />}
    </aside>
  );
}

/** A silence of the whole incident, with whatever joins it, or of alerts such as it has now. */
function SilenceOf({ row, incident, onClose }: { row: Row; incident: Incident | null; onClose: () => void }) {
  const whole = [{ name: "incident", value: row.number, isRegex: false, isEqual: true }];
  const alike = commonLabels((incident?.alerts ?? []).filter((a) => a.status === "firing"));
  const choices: [string, typeof whole][] = [[`Whatever joins ${row.number}`, whole], ...(alike.length > 0 ? [["Alerts like these", alike] as [string, typeof whole]] : [])];
  return <SilenceDialog draft={{ ...newSilence, matchers: whole, choices }} onClose={onClose} />;
}

/** The later of what the stream and the detail say. */
function newest(row: Row | undefined, incident: Incident | null): Row | undefined {
  if (incident === null) return row;
  return row === undefined || incident.revision > row.revision ? asRow(incident) : row;
}

function Lost({ reference, error, onClose }: { reference: string; error: unknown; onClose: () => void }) {
  const missing = error instanceof Problem && error.status === 404;
  return (
    <aside className="panel" aria-label={`Incident ${reference}`}>
      <div className="ph"><div className="l1"><span className="grow" /><CloseButton onClose={onClose} /></div>
        {error === null ? <p className="muted">Reading {reference}</p> : <h2>{missing ? `There is no incident ${reference}` : sentence(error)}</h2>}
        {missing && <p>It may have been closed long ago. <WayIn to={incidentAddress(reference)}>Look in the history</WayIn></p>}
      </div>
    </aside>
  );
}

function CloseButton({ onClose }: { onClose: () => void }) {
  return <button type="button" className="btn quiet icon" aria-label="Close the panel (Esc)" title="Close the panel (Esc)" onClick={onClose}><Icon name="cross" /></button>;
}

function PanelHead({ row, onClose }: { row: Row; onClose: () => void }) {
  const now = useBoardNow();
  const at = new Date(now);
  const [copied, setCopied] = useState(false);
  const end = row.closedAt ?? row.resolvedAt;
  return (
    <div className="ph">
      <div className="l1">
        <SeverityMark severity={row.severity} /><PriorityMark priority={row.priority} override={row.priorityOverride} />
        <span className="ink">{row.number}</span><StateMark state={row.state} />
        {row.flapping && <span className="chip"><Icon name="flap" />Flapping</span>}
        {row.fleeting && <span className="chip line" title="All of it began and ended within a moment">Fleeting</span>}
        {row.maintenance != null && <span className="chip hatch" title={windowTitle(row.maintenance, at)}>Maintenance</span>}
        <span className="grow" />
        <button
          type="button" className="btn quiet sm"
          onClick={() => void copyLink(row).then(setCopied)}
        >
          {copied ? "Copied" : "Copy link"} <kbd>L</kbd>
        </button>
        <CloseButton onClose={onClose} />
      </div>
      <h2>{row.title}</h2>
      <dl className="facts">
        <Fact name={end === null ? "Open" : "Was open"}>{age((end === null ? now : Date.parse(end)) - Date.parse(row.openedAt))}</Fact>
        <Fact name="Owner">{owner(row)}{row.assignee !== null && row.team !== null && `, ${row.team}`}</Fact>
        <Fact name="Started">{moment(row.startedAt, at)}</Fact>
        <Fact name="Impact">{row.impact}</Fact>
        <Fact name="Urgency">{row.urgency}</Fact>
        {row.site !== "" && <Fact name="Site">{row.site}</Fact>}
        {row.services.length > 0 && <Fact name="Services">{row.services.slice(0, 4).join(", ")}{row.services.length > 4 && ` and ${row.services.length - 4} more`}</Fact>}
        {row.acknowledgedBy !== null && row.acknowledgedAt !== null && <Fact name="Acknowledged">{row.acknowledgedBy}, {moment(row.acknowledgedAt, at)}</Fact>}
        {row.onHoldReason !== null && <Fact name="On hold">{spoken(row.onHoldReason)}{row.holdUntil !== null && `, until ${moment(row.holdUntil, at)}`}</Fact>}
        {row.snoozedUntil !== null && <Fact name="Snoozed">until {moment(row.snoozedUntil, at)}</Fact>}
        {row.reopenCount > 0 && <Fact name="Reopened">{row.reopenCount}</Fact>}
        {row.resolutionCode !== null && <Fact name="Resolution">{row.resolutionCode}{row.resolutionNotes !== null && `: ${row.resolutionNotes}`}</Fact>}
      </dl>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return <div><dt>{name}</dt> <dd>{children}</dd></div>;
}
