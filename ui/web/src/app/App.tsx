// The frame: header, one of three pages, foot line, and the keys that work everywhere.
import { useState } from "react";
import { AlertsPage } from "../pages/AlertsPage";
import { ConnectPage } from "../pages/ConnectPage";
import { IncidentsPage } from "../pages/IncidentsPage";
import { toggleTheme } from "../store/theme";
import { useBoard, useServices } from "./context";
import { Foot } from "./Foot";
import { Header } from "./Header";
import { HelpDialog } from "./HelpDialog";
import { useKeys } from "./keys";
import { useRoute } from "./route";
import { useTitle } from "./title";

export function App() {
  const { store, commands } = useServices();
  const route = useRoute();
  const empty = useBoard((s) => s.loaded && s.view.order.length === 0);
  const [help, setHelp] = useState(false);
  useTitle();
  const togglePause = () => (store.getSnapshot().paused === null ? store.pause(Date.now()) : store.resume());
  useKeys({
    "?": () => setHelp(true), t: toggleTheme, p: togglePause, " ": togglePause, z: () => void commands.undo(),
    "/": () => document.getElementById("query")?.focus(),
  });
  // The board is the connect page while it has no incident; an incident that is linked to can be read all the same.
  const connect = route.page === "connect" || (route.page === "incidents" && empty && route.incident === null);
  return (
    <div className="frame">
      <Header page={connect ? "connect" : route.page} />
      {connect ? <ConnectPage waiting={empty} /> : route.page === "alerts" ? <AlertsPage route={route} /> : <IncidentsPage route={route} />}
      <Foot />
      {help && <HelpDialog onClose={() => setHelp(false)} />}
    </div>
  );
}
