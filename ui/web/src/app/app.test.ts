import { describe, expect, it } from "vitest";
import { announcement } from "./Announcer";
import { keyOf } from "./keys";
import { readRoute, writeRoute } from "./route";

describe("the address", () => {
  it.each(["/incidents", "/incidents/INC-000214?tab=unhandled&q=priority%3C%3D2", "/alerts?q=bound%3D%22false%22", "/connect"])(
    "%s leads back to itself", (address) => {
      const u = new URL(address, "http://board.test");
      expect(writeRoute(readRoute(u.pathname, u.search))).toBe(address);
    },
  );

  it("that names no page is the board, and a broken escape is taken as it is", () => {
    expect(readRoute("/", "")).toMatchObject({ page: "incidents", incident: null });
    expect(readRoute("/incidents/%E0%A4%A", "").incident).toBe("%E0%A4%A");
  });
});

describe("a key", () => {
  const press = (init: KeyboardEventInit, target: Element = document.body): string | null => {
    let name: string | null = "";
    const take = (e: Event) => (name = keyOf(e as KeyboardEvent));
    document.body.append(target === document.body ? document.createElement("i") : target);
    addEventListener("keydown", take, { once: true });
    target.dispatchEvent(new KeyboardEvent("keydown", { bubbles: true, ...init }));
    return name;
  };

  it("has a name with its modifiers; a capital is its own", () => {
    expect(press({ key: "a" })).toBe("a");
    expect(press({ key: "A", shiftKey: true })).toBe("A");
    expect(press({ key: "ArrowDown", shiftKey: true })).toBe("Shift+ArrowDown");
    expect(press({ key: "k", metaKey: true })).toBe("Ctrl+k");
  });

  it("belongs to the field that has the focus, except those that lead out of it", () => {
    const field = document.createElement("textarea");
    expect(press({ key: "a" }, field)).toBeNull();
    expect(press({ key: "a", ctrlKey: true }, field)).toBeNull();
    expect(press({ key: "k", ctrlKey: true }, field)).toBe("Ctrl+k");
    expect(press({ key: "F6" }, field)).toBe("F6");
  });

  it("that presses a button is not a key of the page", () => {
    const button = document.createElement("button");
    expect(press({ key: "Enter" }, button)).toBeNull();
    expect(press({ key: "a" }, button)).toBe("a");
  });
});

describe("what is said aloud", () => {
  it("is a summary of what is new", () => {
    expect(announcement([])).toBeNull();
    expect(announcement([2])).toBe("1 new incident, P2");
    expect(announcement([3, 2])).toBe("2 new incidents, 1 of them P2");
  });
});
