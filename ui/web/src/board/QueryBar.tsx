// The box for a query.
import { useEffect, useState } from "react";
import { Icon } from "../lib/marks";

export interface QueryBarProps {
  q: string;
  error: string | null;
  placeholder: string;
  onChange: (q: string) => void;
  children?: React.ReactNode;
}

/** The box for a query. What is typed counts after a short rest. */
export function QueryBar({ q, error, placeholder, onChange, children }: QueryBarProps) {
  const [text, setText] = useState(q);
  const [before, setBefore] = useState(q);
  if (before !== q) { // the address has changed by other means
    setBefore(q);
    if (text.trim() !== q) setText(q);
  }
  useEffect(() => {
    if (text.trim() === q) return;
    const timer = setTimeout(() => onChange(text.trim()), 250);
    return () => clearTimeout(timer);
    // A new onChange with each render must not put the end of the rest off.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [text, q]);
  return (
    <div className="query" role="search">
      <label className={error === null ? "qbox" : "qbox bad"}>
        <Icon name="search" />
        <span className="sr">Filter</span>
        <input
          id="query" type="text" value={text} placeholder={placeholder} spellCheck={false} autoComplete="off"
          aria-invalid={error !== null} aria-describedby={error === null ? undefined : "query-error"}
          onChange={(e) => setText(e.target.value)}
          onKeyDown={(e) => {
            if (e.key === "Escape") {
              if (text === "") e.currentTarget.blur();
              setText("");
              e.stopPropagation();
            } else if (e.key === "Enter") {
              onChange(text.trim());
              e.currentTarget.blur();
            }
          }}
        />
        {error !== null && <span id="query-error" className="qerr" role="alert">{error}</span>}
        <kbd>/</kbd>
      </label>
      {children}
    </div>
  );
}
