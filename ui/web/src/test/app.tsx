// The whole app in a test, on a store that the test fills.
import { act, render } from "@testing-library/react";
import { App } from "../app/App";
import { ServicesContext } from "../app/context";
import type { Row } from "../api/model";
import { BoardStore } from "../store/board";
import { Commands } from "../store/commands";
import { setting } from "../store/setting";
import { board } from "./rows";

export function renderApp(rows: Row[] | null, address = "/incidents") {
  history.replaceState(null, "", address);
  const store = new BoardStore((run) => {
    queueMicrotask(() => act(run));
    return () => undefined;
  });
  const person = setting("signalbox.test.person");
  person.set("maria");
  const commands = new Commands(store, person.get);
  if (rows !== null) store.load(board(rows));
  store.setConnection({ phase: rows === null ? "loading" : "open", heardAt: rows === null ? null : Date.now() });
  store.flush();
  const reconnects: boolean[] = [];
  const view = render(<ServicesContext value={{ store, commands, person, reconnect: (afresh) => reconnects.push(afresh) }}><App /></ServicesContext>);
  return { ...view, store, commands, reconnects };
}
