// Where the person is, in the address: everything that can be linked to stands there.
import { useSyncExternalStore } from "react";

export type Page = "incidents" | "alerts" | "problems" | "patterns" | "silences" | "history" | "sources" | "connect";

export interface Route {
  page: Page;
  /** The number or id of the incident in the panel. */
  incident: string | null;
  tab: string;
  q: string;
}

export function readRoute(pathname: string, search: string): Route {
  const [first = "", second = ""] = pathname.split("/").filter(Boolean);
  const params = new URLSearchParams(search);
  const page: Page = first === "alerts" || first === "problems" || first === "patterns" || first === "silences" || first === "history" || first === "sources" || first === "connect" ? first : "incidents";
  return {
    page,
    incident: page === "incidents" && first === "incidents" && second !== "" ? decode(second) : null,
    tab: params.get("tab") ?? "",
    q: params.get("q") ?? "",
  };
}

function decode(s: string): string {
  try {
    return decodeURIComponent(s);
  } catch {
    return s;
  }
}

export function writeRoute(r: Route): string {
  const path = r.incident === null ? `/${r.page}` : `/incidents/${encodeURIComponent(r.incident)}`;
  const params = new URLSearchParams();
  if (r.tab !== "") params.set("tab", r.tab);
  if (r.q !== "") params.set("q", r.q);
  const search = params.toString();
  return search === "" ? path : `${path}?${search}`;
}

const listeners = new Set<() => void>();
let current: Route | null = null;
let readFrom = "";

function get(): Route {
  const at = location.pathname + location.search;
  if (current === null || at !== readFrom) {
    current = readRoute(location.pathname, location.search);
    readFrom = at;
  }
  return current;
}

function tell(): void {
  for (const listener of listeners) listener();
}

/** Goes somewhere. What is not named stays, except that another page begins afresh. */
export function go(part: Partial<Route>, replace = false): void {
  const now = get();
  const base = part.page !== undefined && part.page !== now.page ? { page: part.page, incident: null, tab: "", q: "" } : now;
  goTo(writeRoute({ ...base, ...part }), replace);
}

/** Goes to an address of this app. */
export function goTo(target: string, replace = false): void {
  if (target === location.pathname + location.search) return;
  if (replace) history.replaceState(null, "", target);
  else history.pushState(null, "", target);
  tell();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    removeEventListener("popstate", listener);
  };
}

export const useRoute = (): Route => useSyncExternalStore(subscribe, get);

/** What stands behind the path, for a page that keeps more there than a Route holds. */
export const useSearch = (): string => useSyncExternalStore(subscribe, () => location.search);
