// What the page shows, in its address: a link leads others to the same rows.
import { matcher, terms } from "../lib/query";
import { defaultRange, iso, presetOf, type Range, type Span, spanOf } from "./range";

export const tabs = [
  { id: "alerts", name: "Alerts" },
  { id: "incidents", name: "Incidents" },
  { id: "changes", name: "Changes" },
] as const;

export type Tab = (typeof tabs)[number]["id"];

export interface Address {
  tab: Tab;
  q: string;
  range: Range;
  /** A part of the range that was chosen in the chart. */
  zoom: Span | null;
  /** What is open beside the list: the key of an alert event or a change, the id or number of an incident. */
  open: string | null;
}

export function readAddress(search: string): Address {
  const params = new URLSearchParams(search);
  const [zoomFrom = "", zoomTo = ""] = (params.get("zoom") ?? "").split("/");
  const open = params.get("open") ?? "";
  return {
    tab: tabs.find((t) => t.id === params.get("tab"))?.id ?? "alerts",
    q: params.get("q") ?? "",
    range: spanOf(Date.parse(params.get("from") ?? ""), Date.parse(params.get("to") ?? "")) ?? presetOf(params.get("range")) ?? defaultRange,
    zoom: spanOf(Date.parse(zoomFrom), Date.parse(zoomTo)),
    open: open === "" ? null : open,
  };
}

export function writeAddress(a: Address): string {
  const params = new URLSearchParams();
  if (a.tab !== "alerts") params.set("tab", a.tab);
  if (a.q !== "") params.set("q", a.q);
  if (typeof a.range !== "string") {
    params.set("from", iso(a.range.from));
    params.set("to", iso(a.range.to));
  } else if (a.range !== defaultRange) {
    params.set("range", a.range);
  }
  if (a.zoom !== null) params.set("zoom", `${iso(a.zoom.from)}/${iso(a.zoom.to)}`);
  if (a.open !== null) params.set("open", a.open);
  const search = params.toString();
  return search === "" ? "/history" : `/history?${search}`;
}

const plain: Address = { tab: "alerts", q: "", range: defaultRange, zoom: null, open: null };

/** The address of the past of an item. */
export const itemAddress = (item: string): string => writeAddress({ ...plain, q: itemTerm(item) });

/** The address of the past of an incident, by its number or id. */
export const incidentAddress = (reference: string): string => writeAddress({ ...plain, tab: "incidents", open: reference });

export const itemTerm = (item: string): string => matcher("item", "=", item);

const fields: Record<Tab, readonly string[]> = {
  alerts: ["status", "severity", "item", "incident", "source", "fingerprint"],
  incidents: ["number", "id", "state", "severity", "title", "cause", "site", "team", "service", "item", "priority", "alerts"],
  changes: ["id", "kind", "status", "title", "item", "by"],
};

// These mean something else for another kind.
const apart = ["status", "id", "title"];

/** What of a query means the same on another tab: its words, and the matchers on fields that both have. */
export function carried(q: string, from: Tab, to: Tab): string {
  return terms(q).filter((term) => {
    const name = /^([^=!<>~"']+)(?:=|!|<|>)/.exec(term)?.[1];
    return name === undefined || (fields[from].includes(name) && fields[to].includes(name) && !apart.includes(name));
  }).join(" ");
}
