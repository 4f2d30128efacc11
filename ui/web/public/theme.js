// Sets the theme before the first paint. The policy of the page allows no script in the page itself.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("signalbox.theme");
  } catch {
    // Storage may be forbidden; then the system's wish decides.
  }
  const light = matchMedia("(prefers-color-scheme: light)").matches;
  document.documentElement.dataset.theme = chosen === "light" || chosen === "dark" ? chosen : light ? "light" : "dark";
})();
