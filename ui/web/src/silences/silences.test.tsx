import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Silence, SilenceMatcher } from "../api/model";
import { renderApp } from "../test/app";
import { incident, row, server } from "../test/rows";
import { commonLabels, readMatchers, writeMatchers } from "./matchers";

const is = (name: string, value: string, part: Partial<SilenceMatcher> = {}): SilenceMatcher => ({ name, value, isRegex: false, isEqual: true, ...part });

describe("matchers", () => {
  it.each([
    ['alertname="HostDown"', [is("alertname", "HostDown")]],
    ["alertname=HostDown, instance=~host-[ab].*", [is("alertname", "HostDown"), is("instance", "host-[ab].*", { isRegex: true })]],
    ['a!="x y"\nb!~"c|d"', [is("a", "x y", { isEqual: false }), is("b", "c|d", { isRegex: true, isEqual: false })]],
    ['a="say \\"no\\"" b="\\\\d" c=""', [is("a", 'say "no"'), is("b", "\\d"), is("c", "")]],
    ["", "Say which alerts."],
    ["HostDown", 'HostDown is no matcher such as alertname="HostDown".'],
    ["priority<=2", 'priority<=2 is no matcher such as alertname="HostDown".'],
    ['a="b', 'a="b is no matcher such as alertname="HostDown".'],
  ])("%s", (text, want) => {
    const got = readMatchers(text);
    expect(got).toEqual(want);
    if (typeof got !== "string") expect(readMatchers(writeMatchers(got))).toEqual(got);
  });

  it("of alerts are the labels that all of them have", () => {
    expect(commonLabels([{ labels: { alertname: "A", instance: "a" } }, { labels: { alertname: "A", instance: "b" } }])).toEqual([is("alertname", "A")]);
    expect(commonLabels([])).toEqual([]);
  });
});

const hour = 3_600_000;
const at = (ms: number) => new Date(Date.now() + ms).toISOString();

const silence = (id: string, part: Partial<Silence> = {}): Silence => ({
  id, matchers: [is("alertname", "HostDown")], startsAt: at(-hour), endsAt: at(hour), updatedAt: at(-hour), createdBy: "lena", comment: "switch is replaced",
  state: "active", alerts: 3, ...part,
});

let silences: Silence[];
let sent: [string, unknown][];

beforeEach(() => {
  silences = [silence("s1"), silence("s2", { state: "pending", comment: "window", startsAt: at(hour), alerts: 0 }), silence("s3", { state: "expired", comment: "over", endsAt: at(-1), alerts: 0 })];
  sent = [];
  vi.stubGlobal("fetch", server({
    "GET /api/v1/silences": () => Response.json({ silences }),
    "GET /api/v1/incidents/1/path": () => Response.json({ at: at(0), cause: null, nodes: [], links: [], affectedTotal: 0, sentence: "No cause on the estate." }),
    "GET /api/v1/incidents/1/timeline": () => Response.json({ entries: [], total: 0, next: null }),
    "GET /api/v1/incidents/1": () => Response.json(incident("1")),
    "DELETE /api/v2/silence/s1": () => {
      silences = silences.map((s) => (s.id === "s1" ? { ...s, state: "expired" } : s));
      return new Response();
    },
    "POST /api/v2/silences": (body) => {
      sent.push(["silences", body]);
      if (JSON.stringify(body).includes("nonsense")) return Response.json("invalid silence: matchers: matcher 0", { status: 400 });
      return Response.json({ silenceID: "s4" });
    },
  }));
});

const line = (text: string) => screen.findByRole("row", { name: new RegExp(text) });

describe("the silences page", () => {
  it("lists what is in force or to come: which alerts, why, who, how many", async () => {
    renderApp([row("1")], "/silences");
    const active = await line("switch is replaced");
    for (const words of ["Active", 'alertname="HostDown"', "lena", "left", "3"]) expect(active.textContent).toContain(words);
    expect(within(active).getByRole("link", { name: "3" }).getAttribute("href")).toBe(`/alerts?q=${encodeURIComponent('silencedBy="s1"')}`);
    expect((await line("window")).textContent).toContain("Pending");
    expect(screen.queryByRole("row", { name: /over/ })).toBeNull();
    fireEvent.click(screen.getByRole("button", { name: "Expired 1" }));
    expect((await line("over")).textContent).toContain("ended");
    expect(location.search).toBe("?tab=expired");
  });

  it("expires one", async () => {
    renderApp([row("1")], "/silences");
    fireEvent.click(within(await line("switch is replaced")).getByRole("button", { name: "Expire" }));
    await screen.findByText('The silence of alertname="HostDown" has expired');
    await waitFor(() => expect(screen.queryByRole("row", { name: /switch is replaced/ })).toBeNull());
  });

  it("changes one, and says what the server refuses", async () => {
    renderApp([row("1")], "/silences");
    fireEvent.click(within(await line("switch is replaced")).getByRole("button", { name: "Change …" }));
    const dialog = screen.getByRole("dialog", { name: "Change the silence" });
    const matchers = within(dialog).getByLabelText<HTMLTextAreaElement>(/^Matchers/);
    expect(matchers.value).toBe('alertname="HostDown"');
    fireEvent.change(matchers, { target: { value: "HostDown" } });
    expect(within(dialog).getByText(/is no matcher/)).toBeTruthy();
    fireEvent.change(matchers, { target: { value: "alertname=nonsense" } });
    fireEvent.click(within(dialog).getByRole("button", { name: "Change" }));
    expect((await within(dialog).findByRole("alert")).textContent).toBe("400: invalid silence: matchers: matcher 0");
    fireEvent.change(matchers, { target: { value: "alertname=HostDown" } });
    fireEvent.click(within(dialog).getByRole("button", { name: "Change" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(sent.at(-1)?.[1]).toMatchObject({ id: "s1", startsAt: silences[0]?.startsAt, createdBy: "maria", matchers: [is("alertname", "HostDown")], comment: "switch is replaced" });
  });
});

describe("an incident", () => {
  it("is silenced with whatever joins it", async () => {
    renderApp([row("1")], "/incidents/INC-000001");
    await screen.findByText("No cause on the estate.");
    act(() => void fireEvent.keyDown(document.body, { key: "." }));
    fireEvent.click(screen.getByRole("menuitem", { name: "Silence …" }));
    const dialog = screen.getByRole("dialog", { name: "Silence alerts" });
    expect(within(dialog).getByText("Say why.")).toBeTruthy();
    fireEvent.change(within(dialog).getByLabelText("Why"), { target: { value: "known" } });
    fireEvent.click(within(dialog).getByRole("button", { name: "1 day" }));
    fireEvent.click(within(dialog).getByRole("button", { name: "Silence" }));
    await screen.findByText(/^Silenced until/);
    expect(sent).toHaveLength(1);
    const body = sent[0]?.[1] as { endsAt: string };
    expect(body).toMatchObject({ id: "", matchers: [is("incident", "INC-000001")], createdBy: "maria", comment: "known" });
    expect(Math.abs(Date.parse(body.endsAt) - Date.now() - 24 * hour)).toBeLessThan(2 * 60_000);
  });
});
