// Everything that an operator does all day works without a mouse.
import { firing, rackIsDark } from "./program.mjs";
import { assert, boardTest, eventually } from "./world.mjs";

boardTest("an incident is found, opened, acknowledged, undone and resolved by keys alone", {
  alerts: [firing("DiskFull", "shop-db:9187"), ...rackIsDark],
  complaints: /status of 400/, // the answer to the query that is none
}, async (world) => {
  const window = await world.look();
  await window.sees(window.row("INC-000002"));

  // The list of keys comes and goes.
  await window.press("?");
  const help = await window.sees(window.page.getByRole("dialog").filter({ hasText: "acknowledge" }));
  await window.press("Escape");
  await window.misses(help);

  // The filter leaves one; the cursor goes to it.
  await window.press("/");
  await window.page.keyboard.type("priority<=high");
  await window.sees(window.page.getByRole("alert")); // that is no query
  await window.press("Escape", "Escape");
  await window.press("/");
  await window.page.keyboard.type("unreachable");
  await window.press("Enter");
  const numbers = await eventually(async () => {
    const left = await window.numbers();
    assert.equal(left.length, 1);
    return left;
  });
  const [number] = numbers;
  await window.press("j");
  await window.sees(window.page.getByRole("row", { selected: true }).filter({ hasText: number }));
  await window.press("Enter");
  await window.sees(window.panel(number));

  await window.press("a");
  await window.sees(window.row(number).getByText("acknowledged"));
  await window.sees(window.button(/^Undo Z/));
  await window.press("z");
  await window.sees(window.panel(number).getByRole("button", { name: /^Acknowledge/ }));
  await window.sees(window.row(number).getByText("New", { exact: true }));

  await window.press("c");
  await eventually(async () => assert.equal(await window.page.evaluate(() => globalThis.document.activeElement.tagName), "TEXTAREA"));
  await window.page.keyboard.type("Somebody is on the way.");
  await window.press("Control+Enter");
  await window.sees(window.part(number, /^Timeline/).getByRole("listitem").filter({ hasText: "Somebody is on the way." }));
  await window.press("Escape");

  await window.press("r");
  await window.sees(window.dialog(`Resolve: ${number}`));
  await window.page.keyboard.type("fixed");
  await window.press("Enter");
  await window.sees(window.row(number).getByText(/^Resolved/));
  await window.press("Escape");
  await window.misses(window.panel(number));
  assert.equal((await world.program.get(`/api/v1/incidents/${number}`)).resolutionCode, "fixed");
});

boardTest("the tab key reaches the queue and the panel, and leads out of a dialog", { alerts: rackIsDark }, async (world) => {
  const window = await world.look();
  await window.sees(window.row("INC-000001"));
  const focused = () => window.page.evaluate(() => globalThis.document.activeElement.closest("[role=grid]") !== null);
  for (let i = 0; !(await focused()); i++) {
    assert.ok(i < 60, "the tab key does not reach the queue");
    await window.press("Tab");
  }
  await window.press("ArrowDown", "Enter");
  await window.sees(window.panel("INC-000001"));
  const acknowledge = window.panel("INC-000001").getByRole("button", { name: /^Acknowledge/ });
  for (let i = 0; !(await acknowledge.evaluate((button) => button === globalThis.document.activeElement)); i++) {
    assert.ok(i < 60, "the tab key does not reach the command");
    await window.press("Tab");
  }
  await window.press("h");
  const dialog = await window.sees(window.dialog("Hold: INC-000001"));
  await window.press("Escape");
  await window.misses(dialog);
  assert.ok(await acknowledge.evaluate((button) => button === globalThis.document.activeElement), "the focus comes back where it was");
  await window.press("Enter");
  await window.sees(window.row("INC-000001").getByText("acknowledged"));
});
