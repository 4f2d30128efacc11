// Short names for the generated types.
import type { components } from "./types";

type S = components["schemas"];

export type Severity = S["Severity"];
export type State = S["State"];
export type Action = S["Action"];
export type Row = S["IncidentRow"];
export type Incident = S["Incident"];
export type Alert = S["Alert"];
export type CurrentAlert = S["CurrentAlert"];
export type AlertPage = S["AlertPage"];
export type CurrentAlertPage = S["CurrentAlertPage"];
export type IncidentPage = S["IncidentPage"];
export type Cause = S["Cause"];
export type CauseRow = S["CauseRow"];
export type Evidence = S["Evidence"];
export type Entry = S["Entry"];
export type Timeline = S["Timeline"];
export type Board = S["Board"];
export type Position = S["Position"];
export type Comparison = S["Comparison"];
export type Counts = S["Counts"];
export type StreamMessage = S["StreamMessage"];
export type Command = S["Command"];
export type Pending = S["Pending"];
export type ProblemBody = S["Problem"];
export type Conflict = S["Conflict"];
export type Status = S["Status"];
export type Source = S["Source"];
export type Path = S["Path"];
export type PathNode = S["PathNode"];
export type PathLink = S["PathLink"];
export type TestAlert = S["TestAlert"];
