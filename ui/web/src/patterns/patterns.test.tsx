import { fireEvent, screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Pattern } from "../api/model";
import { renderApp } from "../test/app";
import { row, server } from "../test/rows";

const pattern = (cause: string, effect: string, state: Pattern["state"]): Pattern => ({
  cause, effect, state, score: 0.87, support: 412, lag_seconds: { p50: 3, p90: 90 }, relation: "depends_on",
});

let patterns: Pattern[];
let sent: [string, unknown][];

beforeEach(() => {
  patterns = [pattern("DiskFull", "HighErrorRate", "adopted"), pattern("QueueFull", "BillingLate", "proposed")];
  sent = [];
  vi.stubGlobal("fetch", server({
    "GET /api/v1/patterns": () => Response.json({ version: "v", scope: "related", patterns }),
    "POST /api/v1/patterns/adopt": (body) => {
      sent.push(["adopt", body]);
      patterns = patterns.map((p) => ({ ...p, state: "adopted" }));
      return Response.json({ version: "v2" });
    },
    "POST /api/v1/patterns/switch": (body) => {
      sent.push(["switch", body]);
      patterns = patterns.map((p) => (p.cause === "DiskFull" ? { ...p, state: "off" } : p));
      return Response.json({ version: "v3" });
    },
  }));
});

describe("the page Patterns", () => {
  it("shows what was learned, with share, support, lag and relation", async () => {
    renderApp([row("1")], "/patterns");
    const cell = await screen.findByRole("cell", { name: "QueueFull" });
    expect(cell.parentElement?.textContent).toBe("QueueFullBillingLate87 %4123 s, 1.5 mindepends onproposed");
  });

  it("adopts what is proposed", async () => {
    renderApp([row("1")], "/patterns");
    fireEvent.click(await screen.findByRole("button", { name: "Adopt 1 proposed pattern" }));
    await waitFor(() => expect(screen.queryByText("proposed")).toBeNull());
    expect(sent.map(([what]) => what)).toEqual(["adopt"]);
  });

  it("switches one off", async () => {
    renderApp([row("1")], "/patterns");
    fireEvent.click(await screen.findByRole("button", { name: "Switch off DiskFull → HighErrorRate" }));
    expect(await screen.findByRole("button", { name: "Switch on DiskFull → HighErrorRate" })).toBeTruthy();
    expect(sent).toEqual([["switch", { cause: "DiskFull", effect: "HighErrorRate", on: false }]]);
  });
});
