// Which time the page speaks of: the usual ranges, one that is typed, and the way back out of the chart.
import { type KeyboardEvent, type SubmitEvent, useState } from "react";
import { Icon } from "../lib/marks";
import { clock, zone } from "../lib/time";
import { fieldOf, type Preset, presets, type Range, readField, type Span, spanOf, spanWords } from "./range";

export interface RangeProps {
  range: Range;
  /** The fields of a range of one's own are open. */
  typing: boolean;
  onPreset: (preset: Preset) => void;
  onType: () => void;
}

export function RangePicker({ range, typing, onPreset, onType }: RangeProps) {
  return (
    <div className="seg" role="group" aria-label="Time range">
      {presets.map((p) => <button key={p.id} type="button" aria-pressed={range === p.id && !typing} title={`The last ${p.name}`} onClick={() => onPreset(p.id)}>{p.name}</button>)}
      <button type="button" aria-pressed={typing || typeof range !== "string"} onClick={onType}>From to …</button>
    </div>
  );
}

export interface SpanLineProps {
  span: Span;
  zoomed: boolean;
  /** When the page was asked for; the rows of a range that moves end there. */
  asOf: number;
  typing: boolean;
  onSpan: (span: Span | null) => void;
  onWiden: () => void;
  onRefresh: () => void;
}

/** One line: the window in words or fields, the way back, how new it is. */
export function SpanLine({ span, zoomed, asOf, typing, onSpan, onWiden, onRefresh }: SpanLineProps) {
  return (
    <div className="span">
      {typing ? <SpanForm key={`${span.from}/${span.to}`} span={span} onSpan={onSpan} /> : <b className="clip">{spanWords(span, asOf)}</b>}
      {zoomed && !typing && <button type="button" className="btn sm" onClick={onWiden}>Back <kbd>Esc</kbd></button>}
      <span className="grow" />
      <span className="muted nowrap">As of {clock(new Date(asOf))}</span>
      <button type="button" className="btn quiet sm" title="Read again, up to now (N)" onClick={onRefresh}>Refresh <kbd>N</kbd></button>
    </div>
  );
}

function SpanForm({ span, onSpan }: { span: Span; onSpan: (span: Span | null) => void }) {
  const [from, setFrom] = useState(fieldOf(span.from));
  const [to, setTo] = useState(fieldOf(span.to));
  const typed = spanOf(readField(from), readField(to));
  const leave = (e: KeyboardEvent) => e.key === "Escape" && onSpan(null);
  const send = (e: SubmitEvent) => {
    e.preventDefault();
    if (typed !== null) onSpan(typed);
  };
  return (
    <form className="fields" onSubmit={send}>
      <label>From <input type="datetime-local" step={1} value={from} onKeyDown={leave} onChange={(e) => setFrom(e.target.value)} /></label>
      <label>to <input type="datetime-local" step={1} value={to} onKeyDown={leave} onChange={(e) => setTo(e.target.value)} /></label>
      <span className="muted">{zone(new Date(typed?.from ?? span.from))}</span>
      <button type="submit" className="btn sm" disabled={typed === null}>Show</button>
      <button type="button" className="btn quiet sm icon" aria-label="Leave it" title="Leave it (Esc)" onClick={() => onSpan(null)}><Icon name="cross" /></button>
      {typed === null && <span className="qerr" role="alert">The begin must be before the end.</span>}
    </form>
  );
}
