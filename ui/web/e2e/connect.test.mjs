// The empty board says how to connect, and the lines that it gives work.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { assert, boardTest, eventually } from "./world.mjs";

const run = promisify(execFile);

boardTest("an empty board is a connect page, and a test alert becomes an incident", { estate: false }, async (world) => {
  const window = await world.look("/", { permissions: ["clipboard-read", "clipboard-write"] });
  await window.sees(window.page.getByRole("heading", { name: "Waiting for the first incident" }));
  await window.sees(window.page.getByText(world.program.url, { exact: true }));
  await window.mark();

  // What is copied is what is shown, with the address of this server.
  const lines = {};
  for (const file of ["alertmanager.yml", "prometheus.yml", "shell"]) {
    await window.button(`Copy ${file}`).click();
    const shown = await window.page.locator("pre", { hasText: { "alertmanager.yml": "route:", "prometheus.yml": "alerting:", shell: "curl" }[file] }).innerText();
    lines[file] = await eventually(async () => {
      const copied = await window.page.evaluate(() => navigator.clipboard.readText());
      assert.equal(copied.trim(), shown.trim());
      return copied;
    });
  }
  await accept(lines, world.program.url);

  await window.button("Send a test alert").click();
  await window.sees(window.row("SignalboxTest"));
  await window.assertNotReloaded();
});

boardTest("the line for the shell sends an alert, and the page shows where it came from", { estate: false }, async (world) => {
  const window = await world.look("/connect");
  const line = await window.page.locator("pre", { hasText: "curl" }).innerText();
  await run("bash", ["-c", line.replace("curl", "curl --fail --silent --show-error")]);
  const source = window.page.getByRole("row").filter({ hasText: "POST /api/v2/alerts" });
  await window.sees(source.getByText("1 accepted"));
  await window.page.getByRole("link", { name: /^Incidents/ }).click();
  await window.sees(window.row("SignalboxTest"));
});

/** Lets the programs themselves judge the lines, put into a file as a user would put them. */
async function accept(lines, url) {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-e2e-"));
  try {
    const alertmanager = join(folder, "alertmanager.yml");
    const own = lines["alertmanager.yml"].replace("route:\n", "route:\n  receiver: default\n").replace("receivers:\n", "receivers:\n  - name: default\n");
    await writeFile(alertmanager, own);
    await run("amtool", ["check-config", alertmanager]);
    await run("amtool", ["config", "routes", "test", `--config.file=${alertmanager}`, "--verify.receivers=signalbox,default", "alertname=Any"]);
    assert.match(own, new RegExp(`url: ['"]?${url}/api/v1/ingest/alertmanager`));
    const prometheus = join(folder, "prometheus.yml");
    await writeFile(prometheus, lines["prometheus.yml"]);
    await run("promtool", ["check", "config", prometheus]);
    assert.match(lines["prometheus.yml"], new RegExp(new URL(url).host));
  } finally {
    await rm(folder, { recursive: true });
  }
}
