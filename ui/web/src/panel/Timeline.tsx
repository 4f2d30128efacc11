// What happened, newest first, with a way back where there is one; and a box to say something.
import { type SubmitEvent, useEffect, useRef, useState } from "react";
import { getTimeline, sentence } from "../api/client";
import type { Entry, Row } from "../api/model";
import { useCommandState, useNow, useServices } from "../app/context";
import { useLoad } from "../lib/load";
import { moment } from "../lib/time";
import { figure } from "../lib/words";
import { cutOff } from "./CommandBar";

export interface TimelineProps {
  row: Row;
  /** Changes with the incident and with each command. */
  version: string;
  dead: boolean;
  /** The comment field wants the focus; onCommenting says that it has it. */
  commenting: boolean;
  onCommenting: () => void;
}

const pace = 700;
const atFirst = 50;
const most = 1000;

export function Timeline({ row, version, dead, commenting, onCommenting }: TimelineProps) {
  const { commands } = useServices();
  const { busy } = useCommandState();
  const now = new Date(useNow());
  const [limit, setLimit] = useState(atFirst);
  const wanted = `${version}/${limit}`;
  const { value, error, version: shown } = useLoad(row.id, wanted, pace, (signal) => getTimeline(row.id, { sort: "-seq", limit }, signal));
  // While something is under way the entries at hand may not be the newest: nobody shall undo the wrong one.
  const settled = !busy.has(row.id) && shown.split("/")[1] === version.split("/")[1];
  return (
    <section className="sec">
      <h3>Timeline {value !== null && <span className="muted">{figure(value.total)} {value.total === 1 ? "entry" : "entries"}, newest first</span>}</h3>
      <CommentBox row={row} dead={dead} commenting={commenting} onCommenting={onCommenting} />
      {error !== null && <p className="oops" role="alert">{sentence(error)}</p>}
      <ol className="tl">
        {value?.entries.map((e) => (
          <Line key={e.seq} entry={e} now={now}>
            {e.undoable && (
              <button
                type="button" className={settled ? "a" : "a hush"} disabled={dead} title={dead ? cutOff : undefined}
                onClick={() => void commands.run(row, "undo", { entry: e.seq })}
              >
                Undo
              </button>
            )}
          </Line>
        ))}
      </ol>
      {value !== null && value.next !== null && limit < most && (
        <button type="button" className="btn sm wide" onClick={() => setLimit(Math.min(most, limit * 4))}>Show more</button>
      )}
    </section>
  );
}

function Line({ entry: e, now, children }: { entry: Entry; now: Date; children: React.ReactNode }) {
  return (
    <li>
      <time dateTime={e.at}>{moment(e.at, now)}</time>
      <span className={e.by === "engine" ? "by clip" : "by h clip"} title={e.by}>{e.by}</span>
      <span className={e.kind === "comment" ? "tx said" : "tx"}>{e.text} {children}</span>
    </li>
  );
}

function CommentBox({ row, dead, commenting, onCommenting }: Omit<TimelineProps, "version">) {
  const { commands } = useServices();
  const { busy } = useCommandState();
  const [text, setText] = useState("");
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (!commenting) return;
    field.current?.focus();
    onCommenting();
  }, [commenting, onCommenting]);
  const send = (e: SubmitEvent) => {
    e.preventDefault();
    if (text.trim() === "") return;
    void commands.run(row, "comment", { text: text.trim() }).then((ok) => ok && setText(""));
  };
  return (
    <form className="cbox" onSubmit={send}>
      <label className="sr" htmlFor="comment">Comment</label>
      <textarea
        id="comment" ref={field} rows={1} value={text} placeholder="Comment (C), Ctrl ↵ sends" onChange={(e) => setText(e.target.value)}
        onKeyDown={(e) => {
          if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) e.currentTarget.form?.requestSubmit();
          if (e.key === "Escape") e.currentTarget.blur();
        }}
      />
      <button type="submit" className="btn sm" disabled={dead || busy.has(row.id) || text.trim() === ""} title={dead ? cutOff : undefined}>Comment</button>
    </form>
  );
}
