// Sends commands, and keeps what the foot line has to say about them.
import { getTimeline, newKey, Problem, sendCommand, sentence } from "../api/client";
import type { Action, Command, Entry, Incident, Row } from "../api/model";
import { describeChanges } from "../lib/diff";
import { doneWords, plural } from "../lib/words";
import type { BoardStore } from "./board";

/** A decision that can be taken back. */
export interface Undo {
  id: string;
  number: string;
  /** Its seq in the timeline. */
  entry: number;
}

export interface Message {
  kind: "done" | "pending" | "conflict" | "refused";
  text: string;
  /** What can be taken back from here. */
  undo: Undo[];
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

/** The newest entry that the command has left and that can be undone; those up to `after` (ms) are of earlier commands. */
export function undoEntry(entries: readonly Entry[], action: Action, after: number): Entry | undefined {
  const wanted = kinds[action] ?? [action];
  const newest = entries.find((e) => e.by !== "engine" && wanted.includes(e.kind) && Date.parse(e.at) > after);
  return newest?.undoable === true ? newest : undefined;
}

/** A command that was taken, and when its incident had last changed before (ms). */
interface Sent {
  target: Target;
  before: number;
  fields: Command;
}

const cannotBeUndone: readonly Action[] = ["comment", "undo"];

export class Commands {
  private state: CommandState = { message: null, busy: new Set(), answered: new Map() };
  private readonly listeners = new Set<() => void>();
  /** What our own last command made the commandRevision of an incident: nobody conflicts with himself. */
  private readonly own = new Map<string, number>();
  private readonly last = new Map<string, Promise<unknown>>();
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

  /** Says something that needs no undo. */
  note(text: string): void {
    this.say({ kind: "done", text, undo: [] });
  }

  /** Says why a command cannot be given. */
  refuse(text: string): void {
    this.say({ kind: "refused", text, undo: [] });
  }

  /** Sends a command and tells whether it was taken. What came of it stands in the message. */
  run(target: Target, action: Action, fields: Command = {}): Promise<boolean> {
    return this.after([target], () => this.one(target, action, fields));
  }

  private async one(target: Target, action: Action, fields: Command): Promise<boolean> {
    this.begin([target.id]);
    const before = this.updatedAt(target);
    const outcome = await this.attempt(target, action, fields);
    const message = this.say(outcome);
    this.end([target.id]);
    if (outcome.kind === "done") void this.offerUndo(message, [{ target, before, fields }], action);
    return outcome.kind === "done" || outcome.kind === "pending";
  }

  /** Sends the same command to several incidents, one after the other, and says in one message what came of all. */
  async runAll(targets: readonly Target[], action: Action, fields: Command = {}): Promise<void> {
    const [only] = targets;
    if (only !== undefined && targets.length === 1) {
      await this.run(only, action, fields);
    } else {
      await this.after(targets, () => this.many(targets, action, fields));
    }
  }

  private async many(targets: readonly Target[], action: Action, fields: Command): Promise<void> {
    const ids = targets.map((t) => t.id);
    this.begin(ids);
    const done: Sent[] = [];
    const failed: Omit<Message, "at">[] = [];
    for (const target of targets) {
      const before = this.updatedAt(target);
      const outcome = await this.attempt(target, action, fields);
      if (outcome.kind === "done" || outcome.kind === "pending") done.push({ target, before, fields });
      else failed.push(outcome);
    }
    const text = `${plural(done.length, "incident")} ${doneWords[action]}`;
    const [first] = failed;
    const message = this.say(
      first === undefined ? { kind: "done", text, undo: [] } : { kind: first.kind, text: `${text}, ${failed.length} not. ${first.text}`, undo: [] },
    );
    this.end(ids);
    void this.offerUndo(message, done, action);
  }

  /** Takes back what the message speaks of. */
  async undo(): Promise<void> {
    const undo = this.state.message?.undo ?? [];
    // The newest first: an earlier decision cannot be taken back while a later one rests on it.
    const rows = [...undo].sort((a, b) => b.entry - a.entry).flatMap(({ id, entry }) => {
      const row = this.store.find(id);
      return row === undefined ? [] : [{ row, entry }];
    });
    for (const { row, entry } of rows) {
      if (!(await this.run(row, "undo", { entry }))) return; // the message says why
    }
    if (rows.length > 1) this.say({ kind: "done", text: `${plural(rows.length, "incident")} ${doneWords.undo}`, undo: [] });
  }

  /** Adds to a message, as long as it stands, the decisions that it speaks of. */
  private async offerUndo(message: Message, sent: readonly Sent[], action: Action): Promise<void> {
    if (cannotBeUndone.includes(action)) return;
    const undo = (await Promise.all(sent.map((s) => this.findUndo(s, action)))).flat();
    if (undo.length > 0 && this.state.message === message) this.set({ message: { ...message, undo } });
  }

  private updatedAt(target: Target): number {
    return Date.parse(this.store.find(target.id)?.updatedAt ?? target.updatedAt ?? "") || 0;
  }

  /** Runs a job when those before it for the same incidents are done: keys come faster than answers. A job never throws. */
  private after<T>(targets: readonly Target[], job: () => Promise<T>): Promise<T> {
    const turn = Promise.all(targets.flatMap((t) => this.last.get(t.id) ?? [])).then(job);
    for (const t of targets) this.last.set(t.id, turn);
    return turn;
  }

  private begin(ids: readonly string[]): void {
    this.set({ busy: new Set([...this.state.busy, ...ids]), message: null });
  }

  private end(ids: readonly string[]): void {
    const busy = new Set(this.state.busy);
    const answered = new Map(this.state.answered);
    for (const id of ids) {
      busy.delete(id);
      answered.set(id, (answered.get(id) ?? 0) + 1);
    }
    this.set({ busy, answered });
  }

  private async attempt(target: Target, action: Action, fields: Command): Promise<Omit<Message, "at">> {
    try {
      const by = this.person();
      const body: Command = by === "" ? fields : { ...fields, by };
      const answer = await sendCommand({ id: target.id, action, body, revision: Math.max(target.commandRevision, this.own.get(target.id) ?? 0), key: newKey() });
      if (!answer.done) {
        return { kind: "pending", text: `${target.number}: the command is recorded; its result comes with the stream.`, undo: [] };
      }
      this.store.upsert(asRow(answer.incident));
      this.own.set(target.id, answer.incident.commandRevision);
      return { kind: "done", text: `${target.number} ${doneWords[action]}`, undo: [] };
    } catch (error) {
      return this.explain(target, error);
    }
  }

  /** The timeline has a topic of its own and may be a moment behind the answer. */
  private async findUndo({ target, before, fields }: Sent, action: Action): Promise<Undo[]> {
    // A merge is taken back at the incident that stays.
    const into = action === "merge" && typeof fields.into === "string" ? this.store.find(fields.into) : undefined;
    const { id, number } = into ?? target;
    for (let attempt = 0; attempt < 4; attempt++) {
      if (attempt > 0) await this.patience(150 * attempt);
      try {
        const { entries } = await getTimeline(id, { sort: "-seq", limit: 20 });
        const entry = into === undefined
          ? undoEntry(entries, action, before)
          : entries.find((e) => e.undoable && e.kind === "merged" && (e.data as Record<string, unknown>).incident === target.id);
        if (entry !== undefined) return [{ id, number, entry: entry.seq }];
      } catch {
        return []; // the command is done; only the shortcut to undo is missing
      }
    }
    return [];
  }

  private async explain(target: Target, error: unknown): Promise<Omit<Message, "at">> {
    if (!(error instanceof Problem) || error.status !== 409 || error.current === undefined) {
      return { kind: "refused", text: `${target.number}: ${sentence(error)}`, undo: [] };
    }
    const now = error.current;
    const before = target.state === undefined ? this.store.find(target.id) : (target as Row);
    const changes = before === undefined ? [] : describeChanges(before, now);
    this.store.upsert(now);
    const who = await this.lastPerson(target.id);
    const first = who === null ? "Somebody was first" : `${who} was first`;
    const what = changes.length === 0 ? "another command came in between" : changes.join(", ");
    return { kind: "conflict", text: `${target.number}: nothing done. ${first}: ${what}. Look again, then repeat.`, undo: [] };
  }

  private async lastPerson(id: string): Promise<string | null> {
    try {
      const { entries } = await getTimeline(id, { sort: "-seq", limit: 20 });
      return entries.find((e) => e.by !== "engine")?.by ?? null;
    } catch {
      return null;
    }
  }

  private say(m: Omit<Message, "at">): Message {
    const message = { ...m, at: Date.now() };
    this.set({ message });
    return message;
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
    causes: causes.map(({ item, change, name, class: kind, score, reporting, recovered }) => ({ item, change, name, class: kind, score, reporting, recovered })),
  };
}
