// Contrast of the tokens (WCAG 2.2): what is read holds 4.5, shapes that carry meaning 3, in every theme.
import { describe, expect, it } from "vitest";
import css from "./tokens.css?raw";

const surfaces = ["bg-0", "bg-1", "bg-2", "bg-3", "row-selected"];
const pairs: [ink: string, on: string[], bar: number][] = [
  ["ink-1", [...surfaces, "bg-4"], 4.5], ["ink-2", surfaces, 4.5], ["ink-3", surfaces, 4.5], ["accent", [...surfaces, "accent-wash"], 4.5],
  ["accent-on", ["accent-solid"], 4.5], ["ink-inverse", ["ink-1"], 4.5], ["live", ["bg-1", "bg-2"], 4.5], ["line-3", ["bg-0", "bg-1", "bg-2"], 3],
  ["sev-critical-edge", ["bg-1", "bg-2", "row-selected", "sev-critical-wash"], 4.5], ["sev-major-edge", ["bg-1", "bg-2", "row-selected", "sev-major-wash"], 4.5],
  ["sev-minor-edge", ["bg-1", "bg-2", "row-selected"], 4.5], ["sev-warning-edge", ["bg-1", "bg-2", "row-selected"], 4.5], ["sev-on", ["sev-critical"], 3],
];

function tokens(theme: string): Map<string, string> {
  const block = new RegExp(`\\[data-theme="${theme}"\\] \\{([^}]*)\\}`).exec(css)?.[1] ?? "";
  return new Map([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{3,6})/g)].map((m) => [m[1] ?? "", m[2] ?? ""]));
}

function luminance(hex: string): number {
  const full = hex.length === 4 ? hex.replace(/[0-9a-f]/g, "$&$&") : hex;
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((i) => parseInt(full.slice(i, i + 2), 16) / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

describe.each(["dark", "light", "contrast"])("the theme %s", (theme) => {
  const t = tokens(theme);
  it.each(pairs)("shows %s on %o at %d or better", (ink, on, bar) => {
    for (const surface of on) {
      const [a, b] = [t.get(ink), t.get(surface)];
      expect(a !== undefined && b !== undefined, `${ink} and ${surface} are set`).toBe(true);
      expect(contrast(a!, b!), `${ink} on ${surface}`).toBeGreaterThanOrEqual(bar);
    }
  });
});
