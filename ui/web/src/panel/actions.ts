// The commands of an incident, as menus, keys and the command bar list them.
import type { Action } from "../api/model";
import type { DialogAction } from "./form";

export interface Entry {
  action: Action;
  name: string;
  /** The key that gives it. */
  key?: string;
}

/** Every command that speaks of a whole incident, in the order of the menus. */
export const actions: readonly Entry[] = [
  { action: "acknowledge", name: "Acknowledge", key: "A" },
  { action: "unacknowledge", name: "Take acknowledgement back", key: "Shift A" },
  { action: "start", name: "Start" },
  { action: "assign", name: "Assign …", key: "G" },
  { action: "hold", name: "Hold …", key: "H" },
  { action: "resume", name: "Resume" },
  { action: "snooze", name: "Snooze …", key: "S" },
  { action: "priority", name: "Set priority …" },
  { action: "merge", name: "Merge …" },
  { action: "resolve", name: "Resolve …", key: "R" },
  { action: "reopen", name: "Reopen" },
  { action: "close", name: "Close incident …" },
  { action: "cancel", name: "Cancel incident …" },
];

const asking: readonly Action[] = ["hold", "snooze", "assign", "priority", "resolve", "close", "cancel", "merge", "move"] satisfies DialogAction[];

/** Tells whether something must be typed or chosen before the command can be sent. */
export const asks = (action: Action): action is DialogAction => asking.includes(action);
