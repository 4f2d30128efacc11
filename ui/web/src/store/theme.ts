// Dark or light: the system's wish until somebody chooses. public/theme.js does the same before the first paint.
import { setting } from "./setting";

export type Theme = "dark" | "light";

const chosen = setting("signalbox.theme");

export const currentTheme = (): Theme => (document.documentElement.dataset.theme === "light" ? "light" : "dark");

export function toggleTheme(): void {
  const next: Theme = currentTheme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  chosen.set(next);
}

/** Follows the system while nobody has chosen. */
export function followSystem(): void {
  const light = matchMedia("(prefers-color-scheme: light)");
  light.addEventListener("change", () => {
    if (chosen.get() === "") document.documentElement.dataset.theme = light.matches ? "light" : "dark";
  });
}
