// What can be done to the chosen incidents.
import type { Action, Row } from "../api/model";
import { useServices } from "../app/context";
import { Icon } from "../lib/marks";
import { figure, refusal } from "../lib/words";
import { cutOff } from "../panel/CommandBar";
import type { Chosen } from "./selection";

export interface ChoiceProps {
  chosen: Chosen;
  /** The rows that the list shows. */
  order: readonly string[];
  /** The server does not answer. */
  dead: boolean;
  onGive: (action: Action, rows: readonly Row[]) => void;
  onToMe: (rows: readonly Row[]) => void;
}

export function Choice({ chosen, order, dead, onGive, onToMe }: ChoiceProps) {
  const { store } = useServices();
  if (chosen.ids.size === 0) return null;
  const rows = [...chosen.ids].flatMap((id) => store.find(id) ?? []);
  const able = (action: Action) => rows.filter((r) => refusal(action, r) === null).length;
  const fresh = able("acknowledge");
  const buttons: [name: string, hint: string, n: number, run: () => void][] = [
    [`Acknowledge ${fresh}`, "A", fresh, () => onGive("acknowledge", rows)], ["Assign to me", "M", able("assign"), () => onToMe(rows)],
    ["Hold", "H", able("hold"), () => onGive("hold", rows)], ["Resolve", "R", able("resolve"), () => onGive("resolve", rows)],
    ["Merge", "", able("merge") > 1 ? 1 : 0, () => onGive("merge", rows)],
  ];
  return (
    <div className="banner calm choice" role="status">
      <Icon name="tick" />
      <span><b>{figure(rows.length)} selected.</b> {fresh === rows.length ? "All" : figure(fresh)} can be acknowledged.</span>
      {buttons.map(([name, hint, n, run]) => (
        <button key={hint} type="button" className="btn sm" disabled={dead || n === 0} title={dead ? cutOff : undefined} onClick={run}>
          {name}{hint !== "" && <> <kbd>{hint}</kbd></>}
        </button>
      ))}
      <span className="grow" />
      <button type="button" className="btn sm quiet" onClick={() => chosen.replace(order)}>All {figure(order.length)} that match</button>
      <button type="button" className="btn sm quiet" onClick={chosen.clear}>Clear <kbd>Esc</kbd></button>
    </div>
  );
}
