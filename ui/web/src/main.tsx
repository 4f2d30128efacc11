import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { getBoard } from "./api/client";
import { App } from "./app/App";
import { ServicesContext } from "./app/context";
import { FaultBoundary } from "./app/Fault";
import { pauseWhenHidden } from "./app/idle";
import { BoardStore } from "./store/board";
import { Commands } from "./store/commands";
import { setting } from "./store/setting";
import { followSystem } from "./store/theme";
import { openWebSocket } from "./stream/socket";
import { BoardStream } from "./stream/stream";
import "./styles/fonts.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/board.css";
import "./styles/panel.css";
import "./styles/pages.css";
import "./history/history.css";
import "./problems/problems.css";
import "./silences/silences.css";
import "./sources/sources.css";

const store = new BoardStore();
const person = setting("signalbox.person");
const commands = new Commands(store, person.get);
const stream = new BoardStream({ store, fetchBoard: getBoard, openSocket: openWebSocket });
const services = {
  store, commands, person,
  reconnect: (afresh: boolean) => (afresh ? stream.reload() : stream.reconnect()),
};

followSystem();
pauseWhenHidden(store);
stream.start();
addEventListener("online", () => stream.reconnect());

const root = document.getElementById("root");
if (root === null) throw new Error("the page has no place for the app");
createRoot(root).render(<StrictMode><FaultBoundary><ServicesContext value={services}><App /></ServicesContext></FaultBoundary></StrictMode>);
