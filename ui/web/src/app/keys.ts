// Single keys that command the page, while no field has the focus.
import { useEffect, useRef } from "react";

export type KeyMap = Record<string, () => void>;

const fields = "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]";
// Keys that a focused control needs for itself.
const ownKeys: [string, string[]][] = [
  ["button, a[href], summary, [role=tab], [role=menuitem]", [" ", "Enter"]],
  ["input[type=checkbox], input[type=radio]", [" "]],
  ["[role=menu]", ["ArrowUp", "ArrowDown"]],
];

/**
 * The name of a key as key maps use it; null: the page must not take it. A letter with Shift is its capital; other names begin
 * with their modifiers: "Shift+ArrowDown", "Ctrl+k" (or the command key of a Mac).
 */
export function keyOf(e: KeyboardEvent): string | null {
  if (e.altKey || e.isComposing || e.defaultPrevented) return null;
  const control = e.ctrlKey || e.metaKey;
  const target = e.target instanceof Element ? e.target : null;
  if (target !== null) {
    if (target.closest(fields) !== null && !(control && e.key === "k") && e.key !== "F6") return null;
    if (document.querySelector("dialog[open]") !== null) return null;
    for (const [selector, keys] of ownKeys) if (keys.includes(e.key) && target.closest(selector) !== null) return null;
  }
  const shift = e.shiftKey && e.key.length > 1;
  return `${control ? "Ctrl+" : ""}${shift ? "Shift+" : ""}${e.key}`;
}

/** Listens to keys as long as the component is there. */
export function useKeys(map: KeyMap): void {
  const latest = useRef(map);
  useEffect(() => {
    latest.current = map;
  });
  useEffect(() => {
    const listen = (e: KeyboardEvent) => {
      const key = keyOf(e);
      const run = key === null ? undefined : latest.current[key];
      if (run === undefined) return;
      e.preventDefault();
      run();
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
}
