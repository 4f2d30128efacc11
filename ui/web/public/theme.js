// Sets the theme before the first paint. The policy of the page allows no script in the page itself.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("signalbox.theme");
  } catch {
    // Storage may be forbidden; then the system's wish decides.
  }
  const wish = matchMedia("(prefers-contrast: more)").matches ? "contrast" : matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
  document.documentElement.dataset.theme = ["dark", "light", "contrast"].includes(chosen) ? chosen : wish;
})();
