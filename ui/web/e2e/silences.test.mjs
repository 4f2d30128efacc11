// Silences by hand: of a whole incident, seen on their page, expired again.
import { firing, rackIsDark } from "./program.mjs";
import { assert, boardTest, eventually } from "./world.mjs";

boardTest("an incident is silenced, leaves the tab Open for Suppressed, and comes back when the silence is expired", { alerts: rackIsDark }, async (world) => {
  const { program } = world;
  const window = await world.look("/incidents/INC-000001");
  const row = await window.sees(window.row("INC-000001"));
  await window.introduce("maria");

  // It is silenced with whatever joins it.
  await window.panel("INC-000001").getByRole("button", { name: /^More/ }).click();
  await window.page.getByRole("menuitem", { name: "Silence …" }).click();
  const dialog = window.dialog("Silence alerts");
  assert.equal(await dialog.getByLabel(/^Matchers/).inputValue(), 'incident="INC-000001"');
  await dialog.getByLabel("Why").fill("the rack is moved");
  await dialog.getByRole("button", { name: "Silence", exact: true }).click();
  await window.sees(window.page.getByRole("status").filter({ hasText: "Silenced until" }));
  await window.sees(row.getByText("Suppressed", { exact: true }));
  await window.sees(window.part("INC-000001", /^Alerts/).getByText("3 firing, 3 suppressed"));
  await window.sees(window.page.getByRole("contentinfo").getByText("Suppressed 3"));
  await window.button("Close the panel (Esc)").click();
  await window.misses(row);
  await window.page.getByRole("tab", { name: "Suppressed 1" }).click();
  await window.sees(row);

  // What joins it later is held, too.
  await program.post(firing("HostUnreachable", "host-a:9100", { job: "ping" }));
  await window.sees(window.page.getByRole("contentinfo").getByText("Suppressed 4"));

  // It stands on its page, and its alerts are found from there.
  await window.page.getByRole("link", { name: "Silences" }).click();
  const line = await window.sees(window.page.getByRole("row", { name: /the rack is moved/ }));
  for (const words of ["Active", 'incident="INC-000001"', "maria"]) await window.sees(line.getByText(words));
  await line.getByRole("link", { name: "4" }).click();
  await window.sees(window.page.getByRole("row", { name: /HostUnreachable host-a suppressed|suppressed HostUnreachable/ }));
  await window.page.goBack();

  // It is expired, and the incident is open again.
  await line.getByRole("button", { name: "Expire" }).click();
  await window.page.getByRole("button", { name: "Expired 1" }).click();
  await window.sees(line.getByText("ended"));
  await window.page.getByRole("link", { name: /^Incidents/ }).click();
  await window.sees(row);
  const { alertCounts } = await eventually(async () => {
    const inc = await program.get("/api/v1/incidents/INC-000001");
    assert.equal(inc.alertCounts.suppressed, 0);
    return inc;
  });
  assert.deepEqual({ firing: alertCounts.firing, total: alertCounts.total }, { firing: 4, total: 4 });
  const { entries } = await program.get("/api/v1/incidents/INC-000001/timeline");
  assert.deepEqual(entries.filter((e) => e.kind === "suppressed").map((e) => e.text.split(":")[0]).sort(), ["no longer suppressed", "suppressed"]);
});
