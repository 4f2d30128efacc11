// Where the page stands, for everything on it that leads somewhere else in the past.
import { createContext, type ReactNode, useContext } from "react";
import { goTo } from "../app/route";
import { type Address, itemTerm, writeAddress } from "./address";
import { useNumber } from "./numbers";

export interface Place {
  address: Address;
  /** The end of the present, in ms: which year need not be said. */
  now: number;
}

export const PlaceContext = createContext<Place | null>(null);

export function usePlace(): Place {
  const place = useContext(PlaceContext);
  if (place === null) throw new Error("no place around this component");
  return place;
}

/** A link to an address of this app. */
export function WayIn({ to, title, className, children }: { to: string; title?: string | undefined; className?: string; children: ReactNode }) {
  return (
    <a
      href={to} title={title} className={className}
      onClick={(e) => {
        if (e.ctrlKey || e.metaKey || e.shiftKey) return;
        e.preventDefault();
        goTo(to);
      }}
    >
      {children}
    </a>
  );
}

/** A link to another part of the past; what is not named stays. */
export function PastLink({ part, title, children }: { part: Partial<Address>; title?: string; children: ReactNode }) {
  const { address } = usePlace();
  return <WayIn to={writeAddress({ ...address, ...part })} title={title}>{children}</WayIn>;
}

/** An item, as a link to its past. */
export function ItemLink({ item }: { item: string }) {
  return <PastLink part={{ q: itemTerm(item), open: null }} title={`The past of ${item}`}>{item}</PastLink>;
}

/** An incident by its id, as a link to its past. */
export function IncidentLink({ id, children }: { id: string; children?: ReactNode }) {
  const number = useNumber(id);
  return <PastLink part={{ tab: "incidents", q: "", open: id }} title="Its past">{children ?? number ?? <code>{id.slice(0, 8)}</code>}</PastLink>;
}

/** A link to an incident on the board. */
export const BoardLink = ({ number }: { number: string }) => <WayIn className="btn quiet sm" to={`/incidents/${encodeURIComponent(number)}`}>On the board</WayIn>;
