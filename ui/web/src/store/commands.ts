// Sends commands, and keeps what the foot line has to say about them.
import { getTimeline, newKey, Problem, sendCommand, sentence } from "../api/client";
import type { Action, Command, Entry, Incident, Row } from "../api/model";
import { describeChanges } from "../lib/diff";
import { doneWords } from "../lib/words";
import type { BoardStore } from "./board";

export interface Message {
  kind: "done" | "pending" | "conflict" | "refused";
  text: string;
  /** What can be taken back from here. */
  undo: { id: string; number: string; entry: number } | null;
  at: number;
}

/** What a command needs to know of its incident. */
export type Target = Pick<Row, "id" | "number" | "commandRevision"> & Partial<Row>;

export interface CommandState {
  message: Message | null;
  /** The ids of incidents that a command is under way for. */
  busy: ReadonlySet<string>;
  /** Counts the commands of an incident that were answered: its timeline is worth reading again. */
  answered: ReadonlyMap<string, number>;
}

const kinds: Partial<Record<Action, string[]>> = { merge: ["merged", "merge"], split: ["split"], move: ["moved", "move"] };

/** The newest entry that the command has left and that can be undone. */
export function undoEntry(entries: readonly Entry[], action: Action): Entry | undefined {
  const wanted = kinds[action] ?? [action];
  const newest = entries.find((e) => e.by !== "engine" && wanted.includes(e.kind));
  return newest?.undoable === true ? newest : undefined;
}

const cannotBeUndone: readonly Action[] = ["comment", "undo"];

export class Commands {
  private state: CommandState = { message: null, busy: new Set(), answered: new Map() };
  private readonly listeners = new Set<() => void>();
  private readonly store: BoardStore;
  private readonly person: () => string;
  private readonly patience: (ms: number) => Promise<void>;

  constructor(store: BoardStore, person: () => string, patience = (ms: number) => new Promise<void>((r) => setTimeout(r, ms))) {
    this.store = store;
    this.person = person;
    this.patience = patience;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly getSnapshot = (): CommandState => this.state;

  dismiss(): void {
    this.set({ message: null });
  }

  /** Sends a command and tells whether it was taken. What came of it stands in the message. */
  async run(target: Target, action: Action, fields: Command = {}): Promise<boolean> {
    const { id, number } = target;
    if (this.state.busy.has(id)) return false;
    this.set({ busy: new Set([...this.state.busy, id]), message: null });
    try {
      const by = this.person();
      const body: Command = by === "" ? fields : { ...fields, by };
      const answer = await sendCommand({ id, action, body, revision: target.commandRevision, key: newKey() });
      if (!answer.done) {
        this.say({ kind: "pending", text: `${number}: the command is recorded; its result comes with the stream.`, undo: null });
        return true;
      }
      this.store.upsert(asRow(answer.incident));
      const text = `${number} ${doneWords[action]}`;
      this.say({ kind: "done", text, undo: null });
      const entry = cannotBeUndone.includes(action) ? undefined : await this.findUndo(id, action);
      if (entry !== undefined) this.say({ kind: "done", text, undo: { id, number, entry: entry.seq } });
      return true;
    } catch (error) {
      await this.explain(target, error);
      return false;
    } finally {
      const busy = new Set(this.state.busy);
      busy.delete(id);
      const answered = new Map(this.state.answered).set(id, (this.state.answered.get(id) ?? 0) + 1);
      this.set({ busy, answered });
    }
  }

  /** Takes back what the message speaks of. */
  async undo(): Promise<void> {
    const undo = this.state.message?.undo;
    if (!undo) return;
    const row = this.store.find(undo.id);
    if (row !== undefined) await this.run(row, "undo", { entry: undo.entry });
  }

  /** The timeline has a topic of its own and may be a moment behind the answer. */
  private async findUndo(id: string, action: Action): Promise<Entry | undefined> {
    for (let attempt = 0; attempt < 4; attempt++) {
      if (attempt > 0) await this.patience(150 * attempt);
      try {
        const { entries } = await getTimeline(id, { sort: "-seq", limit: 20 });
        const entry = undoEntry(entries, action);
        if (entry !== undefined) return entry;
      } catch {
        return undefined; // the command is done; only the shortcut to undo is missing
      }
    }
    return undefined;
  }

  private async explain(target: Target, error: unknown): Promise<void> {
    if (!(error instanceof Problem) || error.status !== 409 || error.current === undefined) {
      this.say({ kind: "refused", text: `${target.number}: ${sentence(error)}`, undo: null });
      return;
    }
    const now = error.current;
    const before = target.state === undefined ? this.store.find(target.id) : (target as Row);
    const changes = before === undefined ? [] : describeChanges(before, now);
    this.store.upsert(now);
    const who = await this.lastPerson(target.id);
    const first = who === null ? "Somebody was first" : `${who} was first`;
    const what = changes.length === 0 ? "another command came in between" : changes.join(", ");
    this.say({ kind: "conflict", text: `${target.number}: nothing done. ${first}: ${what}. Look again, then repeat.`, undo: null });
  }

  private async lastPerson(id: string): Promise<string | null> {
    try {
      const { entries } = await getTimeline(id, { sort: "-seq", limit: 20 });
      return entries.find((e) => e.by !== "engine")?.by ?? null;
    } catch {
      return null;
    }
  }

  private say(m: Omit<Message, "at">): void {
    this.set({ message: { ...m, at: Date.now() } });
  }

  private set(part: Partial<CommandState>): void {
    this.state = { ...this.state, ...part };
    for (const listener of this.listeners) listener();
  }
}

/** The row within the answer to a command: without alerts, and without the evidence of its causes. */
export function asRow(incident: Incident): Row {
  const { alerts, alertsNext, causes, ...fields } = incident;
  return {
    ...fields,
    causes: causes.map(({ item, change, name, class: kind, score, reporting }) => ({ item, change, name, class: kind, score, reporting })),
  };
}
