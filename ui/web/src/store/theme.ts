// Dark, light or high contrast: the system's wish until somebody chooses. public/theme.js does the same before the first paint.
import { setting } from "./setting";

export const themes = ["dark", "light", "contrast"] as const;
export type Theme = (typeof themes)[number];

const chosen = setting("signalbox.theme");

export const currentTheme = (): Theme => themes.find((t) => t === document.documentElement.dataset.theme) ?? "dark";

/** Goes to the next theme, and remembers it. */
export function nextTheme(): void {
  const next = themes[(themes.indexOf(currentTheme()) + 1) % themes.length] ?? "dark";
  document.documentElement.dataset.theme = next;
  chosen.set(next);
}

/** Follows the system while nobody has chosen. */
export function followSystem(): void {
  const light = matchMedia("(prefers-color-scheme: light)");
  const contrast = matchMedia("(prefers-contrast: more)");
  const follow = () => {
    if (chosen.get() === "") document.documentElement.dataset.theme = contrast.matches ? "contrast" : light.matches ? "light" : "dark";
  };
  light.addEventListener("change", follow);
  contrast.addEventListener("change", follow);
}
