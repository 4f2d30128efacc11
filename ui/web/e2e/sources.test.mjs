// Sources: who has sent what, what was refused and why, and the last payload with what each alert was bound to.
import { rackIsDark } from "./program.mjs";
import { assert, boardTest } from "./world.mjs";

boardTest("a source shows its last payload, what was refused of it and how its alerts are bound", { alerts: rackIsDark }, async (world) => {
  const { program } = world;
  const body = JSON.stringify([
    { labels: { alertname: "DiskFull", instance: "host-a:9100" } }, { labels: { alertname: "Stray", job: "nowhere" } }, { labels: { alertname: "" } },
  ]);
  const answer = await fetch(`${program.url}/api/v2/alerts?source=${encodeURIComponent("http://am/x y")}`, {
    method: "POST", headers: { "Content-Type": "application/json", Authorization: "Bearer hidden" }, body,
  });
  assert.equal(answer.status, 400);
  const window = await world.look("/sources");
  const line = window.page.getByRole("row", { name: /http:\/\/am\/x y/ });
  await window.sees(line);
  await window.sees(line.getByText("labels: at least one label is needed"));
  await line.getByRole("link").click();
  const panel = window.page.getByRole("complementary", { name: "Source http://am/x y" });
  await window.sees(panel.getByRole("row", { name: /DiskFull firing host-a INC-/ }));
  await window.sees(panel.getByRole("row", { name: /Stray firing unbound/ }));
  await window.sees(panel.getByText("Alert 3"));
  await window.sees(panel.getByText('"alertname":"Stray"'));
  await window.misses(panel.getByText("hidden"));

  // Its firing alerts are found from there.
  await panel.getByRole("link", { name: "2", exact: true }).click();
  await window.sees(window.page.getByText("2 of 2 alerts"));
  await window.page.goBack();
  await window.sees(panel);
  await window.page.keyboard.press("Escape");
  await window.misses(panel);
});
