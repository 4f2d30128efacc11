// F6 goes from one region of the page to the next, as in every desktop program.

const regions = [".top", ".tabs", ".query", ".span", ".vol", ".grid", ".panel", ".cm", ".foot"];
const focusable = "a[href], button:not(:disabled), input:not(:disabled), textarea, select, [tabindex='0']";

/** Moves the focus to the first thing that can have it in the next region (1) or the one before (-1). */
export function nextRegion(by: 1 | -1): void {
  const there = regions.flatMap((selector) => {
    const region = document.querySelector<HTMLElement>(selector);
    const first = region?.matches(focusable) ? region : (region?.querySelector<HTMLElement>("button[aria-selected=true]") ?? region?.querySelector<HTMLElement>(focusable));
    return region && first ? [{ region, first }] : [];
  });
  const at = there.findIndex(({ region }) => region.contains(document.activeElement));
  const next = at < 0 ? (by > 0 ? 0 : there.length - 1) : (at + by + there.length) % there.length;
  there[next]?.first.focus();
}
