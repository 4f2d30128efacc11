// Alerts over time by severity, to read and to choose a window from: with the pointer, with keys, or from a table.
import { type KeyboardEvent, type PointerEvent, type RefObject, useCallback, useId, useMemo, useRef, useState, useSyncExternalStore } from "react";
import type { AlertVolume } from "../api/model";
import { SeverityMark } from "../lib/marks";
import { shownZone } from "../lib/time";
import { figure, plural } from "../lib/words";
import { type Span, stepWords } from "./range";
import { barsOf, chartSentence, countWords, niceMax, severities, snap, type Step, stepsOf, stepTime, ticksOf, timeAt, totals } from "./volume";

const height = 98;
const margin = { left: 34, right: 2, top: 6, bottom: 17 };
const plotHeight = height - margin.top - margin.bottom;
// A tick and its label need so much room.
const tickRoom = 92;
// So near to the right edge a label would be cut.
const edge = 26;
// A hand that trembles does not drag.
const leastDrag = 4;

export interface VolumeChartProps {
  volume: AlertVolume | null;
  /** Which alerts are counted, in words that follow "began". */
  of: string;
  onPick: (span: Span) => void;
  /** The way back to a wider window; null: there is none. */
  onWiden: (() => void) | null;
}

export function VolumeChart({ volume, of, onPick, onWiden }: VolumeChartProps) {
  const [asTable, setAsTable] = useState(false);
  const steps = useMemo(() => (volume === null ? [] : stepsOf(volume)), [volume]);
  // What a hand points at, and in which chart: another one makes it void.
  const [pointed, point] = useState<{ volume: AlertVolume | null; text: string | null }>({ volume: null, text: null });
  const said = pointed.volume === volume ? pointed.text : null;
  const sums = totals(steps);
  const all = steps.reduce((n, s) => n + s.total, 0);
  return (
    <section className="vol" aria-label="Alerts over time">
      <h3>
        Alerts over time
        <span className="muted clip">{said ?? (volume === null ? "" : `${plural(all, "alert")} began${of}, steps of ${stepWords(volume.stepSeconds)}`)}</span>
        <span className="end">
          {severities.filter((s) => (sums[s] ?? 0) > 0).map((s) => <span key={s} className="lg"><SeverityMark severity={s} /><b className="num">{figure(sums[s] ?? 0)}</b></span>)}
          <button type="button" className="a" disabled={volume === null} onClick={() => setAsTable(!asTable)}>{asTable ? "As a chart" : "As a table"}</button>
        </span>
      </h3>
      {asTable && volume !== null
        ? <StepTable steps={steps} stepSeconds={volume.stepSeconds} onPick={onPick} />
        : <Plot volume={volume} steps={steps} said={said} onPick={onPick} onWiden={onWiden} onSay={(text) => point({ volume, text })} />}
    </section>
  );
}

interface PlotProps extends Pick<VolumeChartProps, "volume" | "onPick" | "onWiden"> {
  steps: readonly Step[];
  /** What is pointed at, in words. */
  said: string | null;
  onSay: (text: string | null) => void;
}

function Plot({ volume, steps, said, onPick, onWiden, onSay }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const help = useId();
  const width = Math.max(0, useWidth(box) - margin.left - margin.right);
  const zoneName = useSyncExternalStore(shownZone.subscribe, shownZone.get);
  const window = useMemo(() => (volume === null ? null : { from: Date.parse(volume.from), to: Date.parse(volume.to) }), [volume]);
  const seconds = volume?.stepSeconds ?? 1;
  const max = niceMax(steps.reduce((n, s) => Math.max(n, s.total), 0));
  // The zone is no argument of the ticks, and changes them.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const ticks = useMemo(() => (window === null ? [] : ticksOf(window, Math.max(1, Math.floor(width / tickRoom)))), [window, width, zoneName]);
  const brush = useBrush({ window, steps, seconds, width, onPick, onWiden, onSay });
  const x = (ms: number) => (window === null ? 0 : margin.left + ((ms - window.from) / (window.to - window.from)) * width);
  const y = (n: number) => margin.top + plotHeight - (n / max) * plotHeight;
  const marked = brush.at === null ? undefined : steps[brush.at];
  return (
    <div className="plot" ref={box}>
      <div
        role="slider" tabIndex={0} aria-label="Step of the chart" aria-valuemin={0} aria-valuemax={Math.max(0, steps.length - 1)} aria-valuenow={brush.at ?? 0}
        aria-valuetext={said ?? chartSentence(steps, seconds)} aria-describedby={help} {...brush.handlers}
      >
        <svg width="100%" height={height} aria-hidden="true">
          {window !== null && [max, ...(max % 2 === 0 ? [max / 2] : [])].map((n) => (
            <g key={n}><path className="ln" d={`M${margin.left} ${y(n)}h${width}`} /><text x={margin.left - 6} y={y(n) + 3.5} textAnchor="end">{figure(n)}</text></g>
          ))}
          {marked !== undefined && <rect className="at" x={x(marked.from)} y={margin.top} width={Math.max(1, x(marked.to) - x(marked.from))} height={plotHeight} />}
          {steps.map((s) => {
            const wide = x(s.to) - x(s.from);
            return barsOf(s, max, plotHeight).map((b) => (
              <rect key={`${s.from}${b.severity}`} className={b.severity} x={x(s.from) + 0.5} y={margin.top + b.y} width={Math.max(1, wide - (wide > 4 ? 2 : 0.5))} height={b.height} />
            ));
          })}
          {brush.chosen !== null && <rect className="chosen" x={x(brush.chosen.from)} y={margin.top} width={Math.max(1, x(brush.chosen.to) - x(brush.chosen.from))} height={plotHeight} />}
          <path className="base" d={`M${margin.left} ${margin.top + plotHeight + 0.5}h${width}`} />
          {ticks.map((t) => (
            <g key={t.at}><path className="base" d={`M${x(t.at)} ${margin.top + plotHeight}v4`} /><text x={x(t.at)} y={height - 3} textAnchor={x(t.at) > margin.left + width - edge ? "end" : "middle"}>{t.label}</text></g>
          ))}
          {window !== null && steps.every((s) => s.total === 0) && <text className="none" x={margin.left + width / 2} y={margin.top + plotHeight / 2 + 4} textAnchor="middle">No alert began in this window</text>}
        </svg>
      </div>
      <span id={help} className="sr">Arrow keys go from step to step, with Shift they choose several, Enter shows what is chosen, Escape goes back.</span>
    </div>
  );
}

interface BrushOptions extends Pick<PlotProps, "steps" | "onPick" | "onWiden" | "onSay"> {
  window: Span | null;
  seconds: number;
  width: number;
}

/** What a hand does on the plot: points at a step, drags over several, or goes there by keys. */
function useBrush({ window, steps, seconds, width, onPick, onWiden, onSay }: BrushOptions) {
  const [at, setAt] = useState<number | null>(null);
  // Where keys or the pointer began to choose.
  const [anchor, setAnchor] = useState<number | null>(null);
  const [drag, setDrag] = useState<{ x: number; from: number; to: number } | null>(null);
  const [of, setOf] = useState(steps);
  if (of !== steps) { // another window: what was pointed at is not there
    setOf(steps);
    setAt(null);
    setAnchor(null);
    setDrag(null);
  }

  const spanOfSteps = (a: number, b: number): Span | null => {
    const [first, last] = [steps[Math.min(a, b)], steps[Math.max(a, b)]];
    return first === undefined || last === undefined ? null : { from: first.from, to: last.to };
  };
  const chosen = window === null ? null : drag !== null ? snap(drag.from, drag.to, window, seconds) : anchor !== null && at !== null ? spanOfSteps(anchor, at) : null;
  const say = (span: Span | null) => {
    if (span === null) {
      onSay(null);
      return;
    }
    const inside = steps.filter((s) => s.from >= span.from && s.to <= span.to);
    onSay(`${stepTime(span, seconds)}: ${countWords(totals(inside))}`);
  };
  const clear = () => {
    setAnchor(null);
    setDrag(null);
    setAt(null);
    onSay(null);
  };
  const pick = (span: Span | null) => {
    clear();
    if (span !== null && window !== null && (span.from > window.from || span.to < window.to)) onPick(span);
  };
  const goTo = (index: number, choosing: boolean) => {
    const next = Math.min(steps.length - 1, Math.max(0, index));
    const begin = choosing ? (anchor ?? at ?? next) : null;
    setAnchor(begin);
    setAt(next);
    say(spanOfSteps(begin ?? next, next));
  };
  const place = (e: PointerEvent<HTMLElement>) => {
    const x = e.clientX - e.currentTarget.getBoundingClientRect().left - margin.left;
    return { x, t: window === null ? 0 : timeAt(x, width, window) };
  };
  const keys = (e: KeyboardEvent<HTMLElement>) => {
    if (e.altKey || e.ctrlKey || e.metaKey) return;
    const from = at ?? (e.key === "ArrowRight" ? -1 : steps.length);
    const target: Record<string, number> = { ArrowLeft: from - 1, ArrowRight: from + 1, PageUp: from - 10, PageDown: from + 10, Home: 0, End: steps.length - 1 };
    const next = target[e.key];
    if (next !== undefined && steps.length > 0) goTo(next, e.shiftKey);
    else if (e.key === "Enter" && at !== null) pick(spanOfSteps(anchor ?? at, at));
    else if (e.key === "Escape" && (anchor !== null || drag !== null)) clear();
    else if (e.key === "Escape" && onWiden !== null) onWiden();
    else if (e.key === "Escape" && at !== null) clear();
    else return;
    e.preventDefault();
  };
  return {
    at, chosen,
    handlers: {
      onKeyDown: keys,
      onBlur: clear,
      onPointerDown: (e: PointerEvent<HTMLElement>) => {
        if (e.button !== 0 || window === null) return;
        e.currentTarget.setPointerCapture(e.pointerId);
        const { x, t } = place(e);
        setAnchor(null);
        setDrag({ x, from: t, to: t });
      },
      onPointerMove: (e: PointerEvent<HTMLElement>) => {
        if (window === null) return;
        const { x, t } = place(e);
        const index = steps.findIndex((s) => t < s.to);
        setAt(index < 0 || x < 0 ? null : index);
        if (drag === null) {
          say(index < 0 || x < 0 ? null : spanOfSteps(index, index));
          return;
        }
        setDrag({ ...drag, to: t });
        say(snap(drag.from, t, window, seconds));
      },
      onPointerUp: (e: PointerEvent<HTMLElement>) => {
        if (drag === null || window === null) return;
        const { x, t } = place(e);
        // A click chooses the step under it, if there is something in it.
        const step = steps.find((s) => t < s.to);
        if (Math.abs(x - drag.x) >= leastDrag) pick(snap(drag.from, t, window, seconds));
        else if (step !== undefined && step.total > 0) pick(step);
        else clear();
      },
      onPointerCancel: clear,
      onPointerLeave: () => {
        if (drag === null) clear();
      },
    },
  };
}

function StepTable({ steps, stepSeconds, onPick }: { steps: readonly Step[]; stepSeconds: number; onPick: (span: Span) => void }) {
  const filled = steps.filter((s) => s.total > 0).reverse();
  if (filled.length === 0) return <p className="plot muted">No alert began in this window.</p>;
  return (
    <div className="plot steps">
      <table>
        <thead><tr><th scope="col">Step</th>{severities.map((s) => <th key={s} scope="col" className="num">{s}</th>)}<th scope="col" className="num">all</th></tr></thead>
        <tbody>
          {filled.map((s) => (
            <tr key={s.from}>
              <th scope="row"><button type="button" className="a" title="Show this step" onClick={() => onPick(s)}>{stepTime(s, stepSeconds)}</button></th>
              {severities.map((name) => <td key={name} className="num">{figure(s.counts[name] ?? 0)}</td>)}
              <td className="num ink">{figure(s.total)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** How wide an element is, now and later. */
function useWidth(ref: RefObject<HTMLElement | null>): number {
  const subscribe = useCallback((changed: () => void) => {
    const observer = new ResizeObserver(changed);
    if (ref.current !== null) observer.observe(ref.current);
    return () => observer.disconnect();
  }, [ref]);
  return useSyncExternalStore(subscribe, () => ref.current?.clientWidth ?? 0);
}
