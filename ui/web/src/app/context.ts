// What the components share: one store, one stream, one sender of commands.
import { createContext, useContext, useSyncExternalStore } from "react";
import { liveness } from "../lib/live";
import type { BoardStore, Snapshot } from "../store/board";
import type { Commands, CommandState } from "../store/commands";
import type { Setting } from "../store/setting";
import { useTick } from "./tick";

export interface Services {
  store: BoardStore;
  commands: Commands;
  person: Setting;
  /** Tries the connection at once; `afresh` fetches the board again, too. */
  reconnect: (afresh: boolean) => void;
}

export const ServicesContext = createContext<Services | null>(null);

export function useServices(): Services {
  const services = useContext(ServicesContext);
  if (services === null) throw new Error("no services around this component");
  return services;
}

/** A part of the board's snapshot. The selector must return what the snapshot holds, not something new. */
export function useBoard<T>(select: (s: Snapshot) => T): T {
  const { store } = useServices();
  return useSyncExternalStore(store.subscribe, () => select(store.getSnapshot()));
}

export function useCommandState(): CommandState {
  const { commands } = useServices();
  return useSyncExternalStore(commands.subscribe, commands.getSnapshot);
}

export function usePerson(): string {
  const { person } = useServices();
  return useSyncExternalStore(person.subscribe, person.get);
}

/** Whether commands make no sense because the server does not answer. */
export function useDead(): boolean {
  const connection = useBoard((s) => s.connection);
  return liveness(connection, false, useTick()) === "disconnected";
}

/** The server's time in ms, every second. */
export function useNow(): number {
  return useTick() + useBoard((s) => s.clockOffset);
}

/** The time that the board speaks of, for ages: it stands still while nothing is heard from the server. */
export function useBoardNow(): number {
  const connection = useBoard((s) => s.connection);
  const offset = useBoard((s) => s.clockOffset);
  const now = useTick();
  const state = liveness(connection, false, now);
  return offset + ((state === "stale" || state === "disconnected") && connection.heardAt !== null ? connection.heardAt : now);
}
