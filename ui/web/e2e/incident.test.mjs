// The way of one incident through an operator's hands.
import { firing, rackIsDark } from "./program.mjs";
import { assert, boardTest, eventually } from "./world.mjs";

boardTest("an incident arrives, is opened, read, acknowledged, split, undone, resolved", { alerts: [firing("DiskFull", "shop-db:9187")] }, async (world) => {
  const { program } = world;
  const window = await world.look();
  await window.sees(window.row("DiskFull").or(window.row("Shop database")));
  await window.connection("Live");
  await window.introduce("maria");
  await window.mark();

  // It arrives.
  await program.post(...rackIsDark);
  const row = await window.sees(window.row("INC-000002"));
  await window.sees(row.getByText("Rack switch 1", { exact: true }));
  await window.sees(row.getByText("not itself reporting"));
  await window.assertNotReloaded();
  await window.sees(window.page.getByRole("banner").filter({ hasText: /Alertmanager\D*2\D*2/ }));
  await eventually(async () => assert.match(await window.page.title(), /^\(2\)/));

  // It is opened and read.
  await row.click();
  assert.equal(new URL(window.page.url()).pathname, "/incidents/INC-000002");
  const why = window.part("INC-000002", /^Why/);
  await window.sees(why.getByText("Rack switch 1 is the probable cause."));
  await window.sees(why.getByRole("listitem"));
  const path = window.part("INC-000002", /^Path/);
  assert.match(await path.getByRole("img").getAttribute("aria-label"), /Rack switch 1/);
  await path.getByText("As a list").click();
  for (const line of [/^Rack switch 1 .*probable cause, silent/, /^host-a .*affected, an alert fires/, /^Monitoring .*monitoring looks from here/]) {
    await window.sees(path.getByRole("listitem").filter({ hasText: line }));
  }
  await window.sees(window.part("INC-000002", /^Causes/).getByRole("listitem").first().getByText("Rack switch 1"));
  const alerts = window.part("INC-000002", /^Alerts/);
  await window.sees(alerts.getByText("3 firing"));
  const line = alerts.getByRole("listitem").filter({ has: window.page.getByRole("checkbox", { name: "Choose HostUnreachable host-a" }) }).last();
  assert.equal(await line.getByRole("link", { name: "Runbook" }).getAttribute("href"), "https://runbooks.example.com/HostUnreachable");
  assert.match(await line.getByRole("link", { name: "Graph" }).getAttribute("href"), /^https:\/\/prometheus\.example\.com\/graph/);
  await line.getByRole("button", { name: /HostUnreachable/ }).click();
  await window.sees(line.getByText('instance="host-a:9100"'));
  await window.sees(line.getByText("Why it is in this incident"));
  const timeline = window.part("INC-000002", /^Timeline/);
  await window.sees(timeline.getByRole("listitem").filter({ hasText: "engine" }));

  // It is acknowledged.
  await window.panel("INC-000002").getByRole("button", { name: /^Acknowledge/ }).click();
  await window.sees(window.page.getByRole("status").filter({ hasText: "INC-000002 acknowledged" }));
  await window.sees(row.getByText("acknowledged"));
  await window.sees(row.getByText("In progress"));
  await window.sees(timeline.getByRole("listitem").filter({ hasText: "maria" }));

  // It is split, and the split is undone.
  await alerts.getByRole("checkbox", { name: "Choose HostUnreachable host-c" }).check();
  await alerts.getByRole("button", { name: "Split 1" }).click();
  await window.sees(window.row("INC-000003").getByText("host-c"));
  await window.sees(alerts.getByText("2 firing"));
  await window.button(/^Undo Z/).click();
  await window.sees(alerts.getByText("3 firing"));
  await window.misses(window.row("INC-000003"));

  // It is resolved.
  await window.panel("INC-000002").getByRole("button", { name: /^Resolve/ }).click();
  const dialog = window.dialog("Resolve: INC-000002");
  await dialog.getByLabel("Code").fill("fixed");
  await dialog.getByLabel("Notes").fill("The switch had lost its power.");
  await dialog.getByRole("button", { name: "Resolve" }).click();
  await window.sees(window.panel("INC-000002").getByText("fixed: The switch had lost its power."));
  await window.sees(row.getByText(/^Resolved/));
  await window.assertNotReloaded();

  const { state, resolutionCode, acknowledgedBy, alertCounts } = await program.get("/api/v1/incidents/INC-000002");
  assert.deepEqual({ state, resolutionCode, acknowledgedBy, total: alertCounts.total }, { state: "resolved", resolutionCode: "fixed", acknowledgedBy: "maria", total: 3 });
  const { incidents } = await program.get("/api/v1/incidents");
  assert.equal(incidents.find((i) => i.number === "INC-000003").mergedInto, (await program.get("/api/v1/incidents/INC-000002")).id);
});
