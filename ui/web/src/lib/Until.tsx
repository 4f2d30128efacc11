// A field for a time ahead, with the usual choices beside it.
import { Field } from "./Dialog";
import { fieldTime, nextAt } from "./time";

export interface UntilProps {
  label: string;
  hint: string;
  /** The value of a datetime-local field. */
  value: string;
  onChange: (value: string) => void;
}

export const inMinutes = (m: number): string => fieldTime(new Date(Date.now() + m * 60_000));

const choices: [string, () => string][] = [
  ["1 h", () => inMinutes(60)], ["4 h", () => inMinutes(240)], ["06:00", () => fieldTime(nextAt(6, new Date()))],
  ["1 day", () => inMinutes(1440)],
];

export function Until({ label, hint, value, onChange }: UntilProps) {
  return (
    <div className="until">
      <Field label={label} hint={hint}><input type="datetime-local" value={value} onChange={(e) => onChange(e.target.value)} /></Field>
      <div className="choices">
        {choices.map(([name, at]) => <button key={name} type="button" className="btn sm" onClick={() => onChange(at())}>{name}</button>)}
      </div>
    </div>
  );
}
