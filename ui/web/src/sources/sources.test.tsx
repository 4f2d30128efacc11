import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { LastPayload, SourceRow } from "../api/model";
import { renderApp } from "../test/app";
import { board, row, server } from "../test/rows";
import { rate, signOf, stand } from "./words";

const source = (name: string, part: Partial<SourceRow> = {}): SourceRow => ({
  name, kind: "alertmanager", doors: ["alertmanager"], lastAt: new Date(Date.now() - 12_000).toISOString(), accepted: 5, refused: 0, lastRefused: null,
  perMinute: 2.4, firing: 3, bound: 2, unbound: 1, suppressed: 0, heartbeat: null, upstream: null, ...part,
});

const payload: LastPayload = {
  source: "http://am:9093", at: new Date().toISOString(), kind: "alertmanager", size: 70_000, body: '{"version":"4"}', truncated: true, fault: null, accepted: 3, refused: 1,
  refusals: [{ index: 2, field: "labels.alertname", reason: "is empty" }],
  alerts: [
    { fingerprint: "00000000000000aa", labels: { alertname: "HostDown", instance: "a" }, status: "firing", item: "host-a", tried: "", incident: "1", incidentNumber: "INC-000001" },
    { fingerprint: "00000000000000bb", labels: { alertname: "DiskFull" }, status: "firing", item: null, tried: "instance=b", incident: null, incidentNumber: null },
    { fingerprint: "00000000000000cc", labels: null, status: null, item: null, tried: "", incident: null, incidentNumber: null },
  ],
};

let asked: string[];

beforeEach(() => {
  asked = [];
  vi.stubGlobal("fetch", server({
    "GET /api/v1/sources/": (_, request) => {
      asked.push(new URL(request.url).pathname);
      return Response.json(payload);
    },
    "GET /api/v1/sources": () => Response.json({ sources: [
      source("http://am:9093", { refused: 1, lastRefused: "alerts[2].labels.alertname: is empty" }), source("elsewhere", { kind: "", doors: [], lastAt: null, accepted: 0 }),
    ] }),
  }));
});

const line = async (name: string) => (await screen.findByRole("link", { name })).closest("tr") ?? document.body;

describe("sources", () => {
  it("are listed with what was accepted, refused and bound", async () => {
    renderApp([row("1")], "/sources");
    const am = within(await line("http://am:9093"));
    expect(am.getByText("alerts[2].labels.alertname: is empty")).toBeTruthy();
    expect(am.getByText(/^1\ds ago$/)).toBeTruthy();
    expect(am.getByText("2.4")).toBeTruthy();
    expect(within(await line("elsewhere")).getByText("Heard by another process, or before this one began.")).toBeTruthy();
    expect(screen.getByText(/^2 sources\./).textContent).toContain("through this process since it began");
  });

  it("show the last payload with what each alert was bound to", async () => {
    renderApp([row("1")], "/sources");
    fireEvent.click(await screen.findByRole("link", { name: "http://am:9093" }));
    const panel = within(await screen.findByRole("complementary", { name: "Source http://am:9093" }));
    await panel.findByText("is empty");
    expect(location.search).toBe("?source=http%3A%2F%2Fam%3A9093");
    expect(asked).toEqual(["/api/v1/sources/http%3A%2F%2Fam%3A9093/last"]);
    expect(panel.getByText("Alert 3")).toBeTruthy();
    const host = within(panel.getByRole("link", { name: "HostDown" }).closest("tr") ?? document.body);
    expect(host.getByRole("link", { name: "host-a" })).toBeTruthy();
    expect(host.getByRole("link", { name: "INC-000001" }).getAttribute("href")).toBe("/incidents/INC-000001");
    expect(within(panel.getByRole("link", { name: "DiskFull" }).closest("tr") ?? document.body).getByText("instance=b")).toBeTruthy();
    expect(panel.getByText(/already forgotten/)).toBeTruthy();
    expect(panel.getByText("The first 64 KiB")).toBeTruthy();
    fireEvent.keyDown(document.body, { key: "Escape" });
    await waitFor(() => expect(screen.queryByRole("complementary")).toBeNull());
  });

  it("say when a heartbeat is overdue, and how an Alertmanager was found", async () => {
    const at = new Date(Date.now() - 600_000).toISOString();
    const silent: SourceRow["heartbeat"] = { state: "silent", lastAt: at, deadline: at, basis: "configured", labels: { alertname: "Watchdog", cluster: "b" }, alarm: true };
    vi.stubGlobal("fetch", server({ "GET /api/v1/sources": () => Response.json({ sources: [
      source("prom-plant", { kind: "", doors: [], lastAt: null, accepted: 0, heartbeat: silent, upstream: {
        reads: true, lastReadAt: at, error: "no member answers", active: 4, silenced: 3, inhibited: 2, muted: 1,
        members: [{ url: "http://am-1:9093", up: true, version: "0.34.2", error: null }, { url: "http://am-2:9093", up: false, version: "", error: "connection refused" }],
      } }),
      source("prom", { heartbeat: { state: "beating", lastAt: at, deadline: at, basis: "announced", labels: {}, alarm: false } }),
    ] }) }));
    const { store } = renderApp([row("1")], "/sources");
    store.load({ ...board([row("1")]), counts: { suppressed: 0, unbound: 0, refused: 0, alertsFiring: 0, sources: { known: 3, heard: 1, silent: ["prom-plant"] } } });
    const link = await screen.findByRole("link", { name: /Sources 1 of 3, silent: prom-plant/ });
    expect(link.title).toBe("1 of 3 sources is heard: by heartbeat, or by a payload of the last five minutes. Silent: prom-plant. Quiet or not due yet: 1.");
    expect([...link.querySelectorAll("i")].map((i) => i.className)).toEqual(["", "mute", "dead"]);
    expect(within(await line("prom")).getByText("In time")).toBeTruthy();
    const plant = within(await line("prom-plant"));
    expect(plant.getByText("Silent")).toBeTruthy();
    expect(plant.getByText("The heartbeat is overdue: alerts may be missing.")).toBeTruthy();
    fireEvent.click(plant.getByRole("link"));
    const panel = within(await screen.findByRole("complementary", { name: "Source prom-plant" }));
    expect(panel.getByText(/It is overdue: alerts of this source may be missing \(configured as alertmanagers\[\]\.heartbeat\)\. Due since/)).toBeTruthy();
    expect(panel.getByText('cluster="b"')).toBeTruthy();
    expect(panel.getByText("4 active, 3 silenced, 2 inhibited, 1 muted")).toBeTruthy();
    expect(panel.getByText("connection refused")).toBeTruthy();
    expect(panel.getByRole("link", { name: "The alert that it is silent" })).toBeTruthy();
  });

  it("are gone through with the keys", async () => {
    renderApp([row("1")], "/sources");
    await line("elsewhere");
    fireEvent.keyDown(document.body, { key: "ArrowDown" });
    await screen.findByRole("complementary", { name: "Source http://am:9093" });
    fireEvent.keyDown(document.body, { key: "j" });
    const panel = within(await screen.findByRole("complementary", { name: "Source elsewhere" }));
    expect(panel.getByText(/Another process may have its last payload/)).toBeTruthy();
  });

  it("say in words how they stand", () => {
    expect([signOf(source("a")), signOf(source("a", { refused: 1 })), signOf(source("a", { lastAt: null }))]).toEqual(["ok", "bad", "none"]);
    const beat = (state: "beating" | "waiting" | "silent") => signOf(source("a", { heartbeat: { state, lastAt: null, deadline: null, basis: "assumed", labels: {}, alarm: false } }));
    expect([beat("beating"), beat("waiting"), beat("silent")]).toEqual(["ok", "none", "bad"]);
    expect([rate(0), rate(0.2), rate(12.4)]).toEqual(["0", "0.2", "12"]);
    expect(stand(source("a"))).toBe("1 firing alert without an item.");
    expect(stand(source("a", { unbound: 0 }))).toBe("5 accepted: the way works.");
    expect(stand(source("a", { accepted: 0 }))).toBe("Nothing accepted yet: what came held no alert.");
  });
});
