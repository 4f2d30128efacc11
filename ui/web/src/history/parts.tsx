// The parts of which the panels of the past are made.
import type { ReactNode } from "react";
import { Problem, sentence } from "../api/client";
import { Icon } from "../lib/marks";

/** The panel beside the list, with what stands in its first line. */
export function Aside({ label, signs, title, onClose, children, under }: { label: string; signs: ReactNode; title: ReactNode; onClose: () => void; children: ReactNode; under?: ReactNode }) {
  return (
    <aside className="panel" aria-label={label}>
      <div className="ph">
        <div className="l1">
          {signs}
          <button type="button" className="btn quiet icon" aria-label="Close the panel (Esc)" title="Close the panel (Esc)" onClick={onClose}><Icon name="cross" /></button>
        </div>
        <h2>{title}</h2>
        {under}
      </div>
      <div className="pb">{children}</div>
    </aside>
  );
}

/** The panel of something that is not there yet, or not at all. */
export function Absent({ error, onClose }: { error: unknown; onClose: () => void }) {
  const gone = error instanceof Problem && error.status === 404;
  const title = error === null ? "" : gone ? "History does not know it, or no longer" : "It could not be read";
  return (
    <Aside label="Details" signs={<span className="grow" />} title={title} onClose={onClose}>
      {error === null ? <p className="sec muted" role="status">Reading</p> : !gone && <p className="oops" role="alert">{sentence(error)}</p>}
    </Aside>
  );
}

export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return <div><dt>{name}</dt> <dd>{children}</dd></div>;
}

/** Labels or annotations as a list of two columns. */
export function Pairs({ of }: { of: Readonly<Record<string, string>> }) {
  return <dl className="ad">{Object.entries(of).map(([k, v]) => <div key={k}><dt className="mono">{k}</dt><dd>{v}</dd></div>)}</dl>;
}
