// A modal dialog with a form. Esc leaves everything as it was.
import { type ReactNode, useEffect, useId, useRef } from "react";

export interface DialogProps {
  title: string;
  /** The command's own name. */
  action: string;
  onDone: () => void;
  onClose: () => void;
  /** Why the command cannot be given yet. */
  missing?: string | null;
  busy?: boolean;
  /** It only shows something: there is nothing to leave as it was. */
  plain?: boolean;
  children: ReactNode;
}

export function Dialog({ title, action, onDone, onClose, missing = null, busy = false, plain = false, children }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (dialog === null) return;
    const before = document.activeElement;
    dialog.showModal();
    dialog.querySelector<HTMLElement>("[data-first], input, select, textarea, button")?.focus();
    return () => {
      dialog.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={ref} className="dialog" aria-labelledby={heading} onCancel={(e) => { e.preventDefault(); onClose(); }}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (missing === null && !busy) onDone();
        }}
      >
        <h2 id={heading}>{title}</h2>
        {children}
        <div className="ends">
          {missing !== null && <span className="muted">{missing}</span>}
          {!plain && <button type="button" className="btn quiet" onClick={onClose}>Leave it</button>}
          <button type="submit" className="btn primary" disabled={missing !== null || busy}>{action}</button>
        </div>
      </form>
    </dialog>
  );
}

export function Field({ label, hint, children }: { label: string; hint?: string | undefined; children: ReactNode }) {
  return (
    <label className="field"><span>{label}</span>{children}{hint !== undefined && <small>{hint}</small>}</label>
  );
}
