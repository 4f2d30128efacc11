import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nextRegion } from "./regions";

beforeEach(() => {
  document.body.innerHTML = `
    <header class="top"><a href="/">home</a></header>
    <div class="tabs"><button id="first" aria-selected="false" tabindex="-1"></button><button id="chosen" aria-selected="true"></button></div>
    <div class="query"><input disabled><input id="field"></div>
    <div class="grid" id="grid" tabindex="0"><button></button></div>
    <footer class="foot"></footer>`;
});
afterEach(() => document.body.replaceChildren());

const focused = () => document.activeElement?.id;

describe("the next region", () => {
  it("has the focus on its chosen tab, its first field, or itself, and leaves out what can have none", () => {
    nextRegion(1);
    expect(document.activeElement?.textContent).toBe("home");
    const seen = Array.from({ length: 3 }, () => {
      nextRegion(1);
      return focused();
    });
    expect(seen).toEqual(["chosen", "field", "grid"]);
    nextRegion(1);
    expect(document.activeElement?.textContent, "round again").toBe("home");
  });

  it("backwards is the one before", () => {
    document.getElementById("field")?.focus();
    nextRegion(-1);
    expect(focused()).toBe("chosen");
  });
});
