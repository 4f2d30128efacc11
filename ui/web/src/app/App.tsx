// The frame: header, one of eight pages, foot line, and the keys that work everywhere.
import { useState } from "react";
import { HistoryPage } from "../history/HistoryPage";
import { AlertsPage } from "../pages/AlertsPage";
import { ConnectPage } from "../pages/ConnectPage";
import { IncidentsPage } from "../pages/IncidentsPage";
import { PatternsPage } from "../patterns/PatternsPage";
import { ProblemsPage } from "../problems/ProblemsPage";
import { SilencesPage } from "../silences/SilencesPage";
import { SourcesPage } from "../sources/SourcesPage";
import { nextTheme } from "../store/theme";
import { Announcer } from "./Announcer";
import { useBoard, useServices } from "./context";
import { Foot } from "./Foot";
import { Header } from "./Header";
import { HelpDialog } from "./HelpDialog";
import { useKeys } from "./keys";
import { Palette } from "./Palette";
import { nextRegion } from "./regions";
import { useRoute } from "./route";
import { useTitle } from "./title";

const nobody = () => undefined;

export function App() {
  const { store, commands } = useServices();
  const route = useRoute();
  const empty = useBoard((s) => s.loaded && s.view.order.length === 0);
  const [help, setHelp] = useState(false);
  const [palette, setPalette] = useState(false);
  useTitle();
  // The board is the connect page while it has no incident; an incident that is linked to can be read all the same.
  const connect = route.page === "connect" || (route.page === "incidents" && empty && route.incident === null);
  const page = connect ? "connect" : route.page;
  useKeys({
    "?": () => setHelp(true), t: nextTheme, z: () => void commands.undo(),
    p: () => (store.getSnapshot().paused === null ? store.pause(Date.now()) : store.resume()),
    "/": () => document.getElementById("query")?.focus(),
    F6: () => nextRegion(1), "Shift+F6": () => nextRegion(-1),
    // The incidents page has a command bar of its own, which knows what is chosen.
    ...(page === "incidents" ? {} : { "Ctrl+k": () => setPalette(true) }),
  });
  return (
    <div className="frame">
      <Header page={page} />
      {page === "connect" ? <ConnectPage waiting={empty} /> : page === "history" ? <HistoryPage /> : page === "problems" ? <ProblemsPage route={route} /> : page === "silences" ? <SilencesPage route={route} />
        : page === "patterns" ? <PatternsPage /> : page === "sources" ? <SourcesPage /> : page === "alerts" ? <AlertsPage route={route} /> : <IncidentsPage route={route} />}
      <Foot page={page} />
      <Announcer />
      {help && <HelpDialog onClose={() => setHelp(false)} />}
      {palette && page !== "incidents" && <Palette rows={[]} dead={false} onGive={nobody} onToMe={nobody} onClose={() => setPalette(false)} />}
    </div>
  );
}
